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


LOCK_SECONDS = 20
"""How long a statement waits for what another transaction holds, and a connection for the server."""


def sqlite_settings(path: str) -> dict[str, Any]:
    """A SQLite database: WAL, durable commits, one writer at a time."""
    return {
        "ENGINE": "innkeeper.core.db.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": LOCK_SECONDS,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-2000;",
        },
    }


def postgresql_settings(url: str) -> dict[str, Any]:
    """A PostgreSQL database, named by a `postgresql://` URL."""
    parts = urlsplit(url)
    # As long as SQLite waits, unless the URL says otherwise: who holds a lock for ever must not hold every thread.
    waits = {"options": f"-c lock_timeout={LOCK_SECONDS}s", "connect_timeout": str(LOCK_SECONDS)}
    options: dict[str, Any] = waits | dict(parse_qsl(parts.query))
    host = options.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "innkeeper.core.db.postgresql",
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
    INNKEEPER_SEALING_KEY = INSTANCE.sealing_key()
    INNKEEPER_LOOKUP_ROLE = INSTANCE.database.lookup_role
    INNKEEPER_FILES = INSTANCE.state / "files"
    _database = INSTANCE.database.url or str(INSTANCE.database.path)
else:
    SECRET_KEY = secrets.token_bytes(32)
    INNKEEPER_SEALING_KEY = secrets.token_bytes(32)
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
    "innkeeper.events",
    "innkeeper.doors.panel",
]

TASKS = {
    "default": {"BACKEND": "innkeeper.jobs.backend.JobBackend", "QUEUES": ["prompt", "hosting", "files", "upkeep"]}
}

MIDDLEWARE = [
    "innkeeper.doors.panel.headers.HeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "innkeeper.doors.panel.visitor.VisitorMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csrf",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": [
                "innkeeper.doors.panel.templatetags.panel",
                "django.templatetags.i18n",
                "django.templatetags.static",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# Cookies know no ports: each instance on this address has its own.
_cookie = str(INSTANCE.ports.panel) if INSTANCE is not None else "test"
SESSION_ENGINE = "innkeeper.doors.panel.sessions"
SESSION_COOKIE_NAME = f"__Host-innkeeper-{_cookie}"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True  # idle time ends a session sooner: doors/panel/visitor.py
SESSION_COOKIE_AGE = 7 * 24 * 3600
CSRF_COOKIE_NAME = f"__Host-innkeeper-form-{_cookie}"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "innkeeper.doors.panel.views.session.form_expired"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 0  # a private instance has a certificate of its own making

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "innkeeper.doors.panel.static_files.DigestStorage"},
}
WHITENOISE_USE_FINDERS = True  # files are served from the program itself: nothing to collect
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 365 * 24 * 3600  # every address carries a digest of its content
WHITENOISE_ALLOW_ALL_ORIGINS = False

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
    "formatters": {"line": {"()": "innkeeper.core.loglines.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
