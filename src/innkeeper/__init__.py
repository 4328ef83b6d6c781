"""Innkeeper: an open hosting control panel for Debian servers."""

__version__ = "0.1.0"
