"""What the server says of a handler's user and program. hostd alone can look, and it alone decides."""

from __future__ import annotations

from django.conf import settings

from innkeeper.core.errors import Failed
from innkeeper.hostd.client import Client, CommandCheck, HostdError


def hostd() -> Client:
    """hostd of the instance that this process belongs to. Raises Failed outside of an instance."""
    if settings.INSTANCE is None:
        raise Failed("This process belongs to no instance: there is no server to run a handler on.")
    return Client(settings.INSTANCE.hostd_socket)


def allowed_users() -> list[str]:
    """The system users that a command may run as. Raises Failed."""
    try:
        return hostd().handler_users()
    except OSError as error:
        raise _away() from error
    except HostdError as error:
        raise Failed(f"user: {error}.", field="user") from error


def check_command(user: str, path: str) -> CommandCheck:
    """Look at a program as that user. Raises Failed."""
    try:
        return hostd().check_command(user, path)
    except OSError as error:
        raise _away() from error
    except HostdError as error:
        return CommandCheck(f"it cannot be looked at: {error}", None)


def _away() -> Failed:
    return Failed(
        "The service that runs handlers does not answer, so users and commands cannot be checked. Nothing was saved;"
        " look at the health page, and try again."
    )
