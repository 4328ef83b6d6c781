"""How to reach an event handler from outside the panel: the commands that make it, and packets that read the log.

A webhook's secret never appears: it is shown once, when it is made.
"""

from __future__ import annotations

import shlex

from django.utils.translation import gettext as _

from innkeeper.doors.panel.snippets import VERSION
from innkeeper.events.models import EventHandler, HandlerKind
from innkeeper.events.operations import LIMITS

_LIMIT_OPTIONS = {
    "--timeout": "timeout_s",
    "--memory": "memory_mb",
    "--output": "output_kb",
    "--open-files": "open_files",
}


def snippets(handler: EventHandler) -> list[tuple[str, str]]:
    """Texts with their titles."""
    found = [(_("Command"), command_line(handler))]
    if handler.kind == HandlerKind.COMMAND:
        found.append((_("Command as Plesk has it"), utility_line(handler)))
    found.append(
        (_("Its deliveries"), shlex.join(["./innkeeper", "event-handler", "deliveries", "--handler", str(handler.pk)]))
    )
    found.append((_("Packet that reads the log of events"), _packet("<get-last-id/>")))
    return found


def command_line(handler: EventHandler) -> str:
    """The command that would make such a handler."""
    words = ["./innkeeper", "event-handler", "create", "--event", handler.event, "--priority", str(handler.priority)]
    if handler.kind == HandlerKind.WEBHOOK:
        words += ["--webhook", handler.url]
    else:
        words += ["--user", handler.user, "--command", handler.command]
    switches = {
        "--allow-private": handler.allow_private,
        "--pass-secrets": handler.pass_secrets,
        "--disabled": not handler.enabled,
    }
    words += [option for option, is_set in switches.items() if is_set]
    for option, name in _LIMIT_OPTIONS.items():
        if getattr(handler, name) != LIMITS[name].default:
            words += [option, str(getattr(handler, name))]
    return shlex.join(words)


def utility_line(handler: EventHandler) -> str:
    """The same by the utility that scripts written for Plesk call."""
    return shlex.join(
        [
            "./innkeeper", "bin", "event_handler", "--create", "-command", handler.command,
            "-priority", str(handler.priority), "-user", handler.user, "-event", handler.event,
        ]
    )  # fmt: skip


def _packet(request: str) -> str:
    return f'<packet version="{VERSION}">\n  <event_log>\n    {request}\n  </event_log>\n</packet>'
