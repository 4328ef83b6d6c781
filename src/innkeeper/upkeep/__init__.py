"""Keeping a server in order: making its database ready, and later repair, updates and backup."""
