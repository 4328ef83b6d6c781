"""Log-in names of system users: each is given once on the server, whoever has it, and has a password's hash."""

from __future__ import annotations

from django.db import connection

from innkeeper.core import passwords
from innkeeper.core.errors import AlreadyExists, InvalidValue, LimitReached
from innkeeper.core.operation import is_planning
from innkeeper.hosting import catalogue
from innkeeper.hosting.models import FTPAccount, SubdomainUser, Webspace, WebUser
from innkeeper.hosting.queries import limit

LOCK_KEY = 0x6C6F67  # "log": any constant that nothing else of ours locks


def require_free_login(login: str, *, field: str, kept_by: WebUser | FTPAccount | Webspace | None = None) -> None:
    """Raises AlreadyExists if a webspace, web user, subdomain or FTP account has the log-in name.

    Call it inside the operation: on PostgreSQL a lock keeps the name free until that ends.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
    for model, column in (
        (Webspace, "ftp_login"),
        (WebUser, "login"),
        (FTPAccount, "name"),
        (SubdomainUser, "login"),
    ):
        others = model.objects.filter(**{column: login})
        if isinstance(kept_by, model):
            others = others.exclude(pk=kept_by.pk)
        if others.exists():
            raise AlreadyExists(f"System user {login} already exists.", field=field)


def check_password(password: str, login: str, *, crypt: bool, field: str = "password") -> str:
    """The hash to store; call before the operation opens. Raises InvalidValue."""
    if crypt:
        return passwords.import_hash(password, field=field)
    passwords.check(password, login, field=field)
    return "" if is_planning() else passwords.hash_mail(password)


def check_quota(quota_bytes: int | None, *, field: str) -> None:
    """Raises InvalidValue."""
    if quota_bytes is not None and not catalogue.UNLIMITED <= quota_bytes <= catalogue.BIGGEST:
        raise InvalidValue(f"{field}: {quota_bytes} is no size. Give bytes, or -1 for no limit.", field=field)


def require_room(webspace_id: int, name: str, count: int) -> None:
    """Raises LimitReached if a webspace has as many of something as it may."""
    allowed = limit(webspace_id, name)
    if allowed != catalogue.UNLIMITED and count >= allowed:
        raise LimitReached(
            f"The limit {name} of this webspace is reached ({count} of {allowed} in use). Ask your provider for more."
        )
