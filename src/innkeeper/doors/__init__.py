"""Doors: they authenticate, parse and translate. No rules here."""
