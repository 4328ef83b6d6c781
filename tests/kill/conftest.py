"""The private instances of the service tests, for tests that kill."""

from services.conftest import cluster, engine, home, instance

__all__ = ["cluster", "engine", "home", "instance"]
