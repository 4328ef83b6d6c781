"""What the server says of a handler's user and program. hostd alone can look, and it alone decides."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from django.conf import settings

from innkeeper.core.errors import Failed
from innkeeper.hostd.client import Client, HostdError


class CommandCheck(NamedTuple):
    """What is wrong with a program, or None; and the text of one that is a readable script."""

    error: str | None
    script: str | None


def hostd() -> Client:
    """hostd of the instance that this process belongs to. Raises Failed outside of an instance."""
    if settings.INSTANCE is None:
        raise Failed("This process belongs to no instance: there is no server to run a handler on.")
    return Client(settings.INSTANCE.hostd_socket)


def allowed_users() -> list[str]:
    """The system users that a command may run as. Raises Failed."""
    try:
        return list(hostd().ask("handler_users"))
    except (OSError, HostdError) as error:
        _away(error)


def check_command(user: str, path: str) -> CommandCheck:
    """Look at a program as that user. Raises Failed."""
    try:
        return CommandCheck(**hostd().ask("check_command", user=user, path=path))
    except (OSError, HostdError) as error:
        _away(error)


def _away(error: Exception) -> NoReturn:
    raise Failed(
        "The service that runs handlers does not answer, so users and commands cannot be checked. Nothing was saved;"
        " look at the health page, and try again."
    ) from error
