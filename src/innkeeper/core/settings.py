"""Django's settings, read from the instance that `INNKEEPER_STATE` names.

Without it (tests, `makemigrations`) the database is the one that `INNKEEPER_DATABASE` names: a SQLite path or a
`postgresql://` URL, by default SQLite in memory.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from innkeeper.instance.config import Instance

_state = os.environ.get("INNKEEPER_STATE")
INSTANCE: Instance | None = None
if _state:
    from innkeeper.instance.config import Instance

    INSTANCE = Instance.load(Path(_state))


def sqlite_settings(path: str) -> dict[str, Any]:
    """A SQLite database: WAL, durable commits, one writer at a time."""
    return {
        "ENGINE": "innkeeper.core.db.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000;",
        },
    }


def postgresql_settings(url: str) -> dict[str, Any]:
    """A PostgreSQL database, named by a `postgresql://` URL."""
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(options.pop("port", None) or parts.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


if INSTANCE is not None:
    SECRET_KEY = INSTANCE.secret_key()
    INNKEEPER_LOOKUP_ROLE = INSTANCE.database.lookup_role
    INNKEEPER_FILES = INSTANCE.state / "files"
    _database = INSTANCE.database.url or str(INSTANCE.database.path)
else:
    SECRET_KEY = secrets.token_bytes(32)
    INNKEEPER_LOOKUP_ROLE = os.environ.get("INNKEEPER_LOOKUP_ROLE", "")
    INNKEEPER_FILES = Path(os.environ.get("INNKEEPER_FILES", "/nonexistent"))
    _database = os.environ.get("INNKEEPER_DATABASE", ":memory:")

DATABASES = {
    "default": postgresql_settings(_database)
    if _database.startswith(("postgresql:", "postgres:"))
    else sqlite_settings(_database)
}

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "innkeeper.core",
    "innkeeper.accounts",
    "innkeeper.network",
    "innkeeper.hosting",
    "innkeeper.mail",
    "innkeeper.jobs",
]

TASKS = {"default": {"BACKEND": "innkeeper.jobs.backend.JobBackend", "QUEUES": ["prompt", "upkeep"]}}

SILENCED_SYSTEM_CHECKS = ["auth.E003", "auth.W004"]  # the login is unique without case, by a constraint
AUTH_USER_MODEL = "accounts.Account"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
ROOT_URLCONF = "innkeeper.doors.urls"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
