"""Exchangeable components and the drivers that speak to them."""
