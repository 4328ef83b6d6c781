"""The privileged helper: the only program of Innkeeper's own that stays root."""
