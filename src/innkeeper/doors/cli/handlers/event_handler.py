"""Handlers of events, their deliveries, and the catalogue of events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from innkeeper.core.errors import InvalidValue, Malformed, codes
from innkeeper.core.events import EventType
from innkeeper.core.operation import Outcome
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.events import operations, queries
from innkeeper.events.command import placeholders
from innkeeper.events.models import Delivery, EventHandler, HandlerKind
from innkeeper.events.operations import HandlerChanges, NewHandler, Replay, Saved

_TEXTS = ("event", "user", "command", "url")
_NUMBERS = ("priority", "timeout_s", "memory_mb", "output_kb", "open_files")
_SWITCHES = ("allow_private", "pass_secrets", "enabled")
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MOST_ROWS = 100_000


# ---- handlers


def create(request: Request) -> Result:
    """Attach a command or a webhook to an event."""
    values = _values(request)
    if "command" in values and "url" in values:
        raise Malformed("A handler is a command or a webhook: give one of them.")
    kind = HandlerKind.WEBHOOK if "url" in values else HandlerKind.COMMAND
    request.text("event")
    return _saved(operations.create_handler(request.actor, NewHandler(**{"kind": kind.value} | values)))


def update(request: Request) -> Result:
    """Change what is given of a handler."""
    changes = HandlerChanges(**_values(request), new_secret=request.optional_bool("new_secret") or False)
    if changes == HandlerChanges():
        raise Malformed("Nothing to change was given.")
    return _saved(operations.update_handler(request.actor, _id(request), changes))


def remove(request: Request) -> Result:
    """Remove handlers."""
    return _outcomes(operations.remove_handlers(request.actor, _ids(request)))


def switch(request: Request) -> Result:
    """Switch handlers on or off."""
    enabled = request.optional_bool("enabled") or False
    return _outcomes(operations.set_enabled(request.actor, _ids(request), enabled))


def resume(request: Request) -> Result:
    """Let a paused handler go on."""
    return {"id": operations.resume_handler(request.actor, _id(request)).pk}


def listing(request: Request) -> Result:
    """All handlers, as rows."""
    request.send_rows(_handler(row) for row in queries.visible_handlers(request.actor).iterator(chunk_size=500))
    return {}


def show(request: Request) -> Result:
    """One handler."""
    return _handler(queries.find_handler(request.actor, _id(request)))


# ---- deliveries


def test(request: Request) -> Result:
    """Give a handler the last real event, or sample values."""
    return {"delivery": operations.test_handler(request.actor, _id(request))}


def replay(request: Request) -> Result:
    """Give events of the past to a handler again."""
    since, until = request.optional_text("since"), request.optional_text("until")
    wanted = Replay(
        delivery_id=request.optional_int("delivery"),
        handler_id=request.optional_int("handler"),
        since=moment(since, "since") if since is not None else None,
        until=moment(until, "until") if until is not None else None,
    )
    done = operations.replay(request.actor, wanted)
    return {"handler": done.handler.pk, "count": done.count}


def deliveries(request: Request) -> Result:
    """Deliveries, the latest first, as rows."""
    since = request.optional_text("since")
    left = request.optional_int("limit") or queries.PAGE
    if not 0 < left <= MOST_ROWS:
        raise InvalidValue(f"limit: give 1 to {MOST_ROWS}.", field="limit")
    after = request.optional_int("after")
    moment_ = moment(since, "since") if since is not None else None
    while left > 0:
        page = queries.deliveries(
            request.actor,
            handler=request.optional_int("handler"),
            event=request.optional_text("event") or "",
            since=moment_,
            state=request.optional_text("status") or "",
            after=after,
            limit=min(left, 500),
        )
        request.send_rows(_delivery(row) for row in page)
        if not page:
            break
        left -= len(page)
        after = page[-1].pk
    return {}


def delivery(request: Request) -> Result:
    """One delivery with its attempts."""
    found = queries.find_delivery(request.actor, _id(request))
    tries = [
        {
            "number": each.number,
            "started_at": _time(each.started_at),
            "duration_ms": each.duration_ms,
            "exit_status": each.exit_status,
            "signal": each.signal,
            "http_status": each.http_status,
            "error": each.error,
            "stdout": each.stdout,
            "stderr": each.stderr,
        }
        for each in queries.attempts(found)
    ]
    return _delivery(found) | {"tries": tries}


# ---- what there is to choose from


def events(request: Request) -> Result:
    """The catalogue as rows, in groups; or one event with its parameters."""
    if name := request.optional_text("event"):
        event = queries.find_event(name)
        samples = queries.sample(event)
        return _event(event) | {
            "parameters": [
                {
                    "name": name,
                    "label": each.label,
                    "required": each.required,
                    "secret": each.secret,
                    "old": samples[f"old_{name}"],
                    "new": samples[f"new_{name}"],
                }
                for each in event.parameters
                for name in (each.name, *each.synonyms)
            ],
            "placeholders": placeholders(event),
        }
    request.send_rows(
        _event(event) | {"group": group.title} for group in queries.catalogue_groups() for event in group.events
    )
    return {}


def users(request: Request) -> Result:
    """The system users that a command may run as, as rows."""
    request.send_rows({"user": name} for name in queries.handler_users(request.actor))
    return {}


def retention(request: Request) -> Result:
    """Show or set for how many days events are kept."""
    days = request.optional_text("days")
    if days is not None:
        operations.set_retention(request.actor, days)
    return {"days": int(read_setting("event_retention_days"))}


def moment(text: str, field: str) -> datetime:
    """A moment as people write it: ISO 8601, in UTC unless it says otherwise, or how long ago. Raises InvalidValue."""
    try:
        if match := _AGO.fullmatch(text.strip()):
            return timezone.now() - timedelta(**{_UNITS[match[2]]: int(match[1])})
        found = datetime.fromisoformat(text.strip())
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(
            f"{field}: {text[:40]!r} is no moment. Write it as 2027-01-31T18:00, or how long ago: 90s, 30m, 2h, 7d.",
            field=field,
        ) from None


def _values(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {name: request.optional_text(name) for name in _TEXTS}
    found |= {name: request.optional_int(name) for name in _NUMBERS}
    found |= {name: request.optional_bool(name) for name in _SWITCHES}
    return {name: value for name, value in found.items() if value is not None}


def _id(request: Request) -> int:
    found = request.optional_int("id")
    if found is None:
        raise Malformed("id: it is missing.", field="id")
    return found


def _ids(request: Request) -> list[int]:
    found = request.optional_list("ids")
    if not found or not all(isinstance(id, int) and not isinstance(id, bool) for id in found):
        raise Malformed("ids: not a list of ids.", field="ids")
    return found


def _saved(saved: Saved) -> Result:
    return {"id": saved.handler.pk, "warnings": list(saved.warnings), "secret": saved.secret_once or None}


def _outcomes(outcomes: Sequence[Outcome[int]]) -> Result:
    return {
        "ids": [each.value for each in outcomes if each.error is None],
        "errors": [
            {"id": each.value, "exit": codes(each.error).exit, "message": each.error.message}
            for each in outcomes
            if each.error is not None
        ],
    }


def _handler(row: EventHandler) -> dict[str, Any]:
    return {
        "id": row.pk,
        "event": row.event,
        "kind": row.kind,
        "priority": row.priority,
        "user": row.user,
        "command": row.command,
        "url": row.url,
        "allow_private": row.allow_private,
        "pass_secrets": row.pass_secrets,
        "enabled": row.enabled,
        "paused_at": _time(row.paused_at),
        "pause_reason": row.pause_reason,
        "timeout_s": row.timeout_s,
        "memory_mb": row.memory_mb,
        "output_kb": row.output_kb,
        "open_files": row.open_files,
        "last_at": _time(row.last_at),
        "last_state": row.last_state,
        "delivered": row.delivered_count,
        "failed": row.failed_count,
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "handler": row.handler_id,
        "event": row.event,
        "object_type": row.object_type,
        "object_id": row.object_id,
        "state": row.state,
        "attempts": row.attempts,
        "test": row.is_test,
        "replay": row.replay,
        "created_at": _time(row.created_at),
        "finished_at": _time(row.finished_at),
        "note": row.note or None,
    }


def _event(event: EventType) -> dict[str, Any]:
    return {"event": event.name, "description": event.description, "raised": event.is_raised}


def _time(value: datetime | None) -> str | None:
    return value.isoformat(timespec="milliseconds") if value else None


HANDLERS: dict[str, Handler] = {
    "event-handler.create": create,
    "event-handler.update": update,
    "event-handler.remove": remove,
    "event-handler.switch": switch,
    "event-handler.resume": resume,
    "event-handler.list": listing,
    "event-handler.show": show,
    "event-handler.test": test,
    "event-handler.replay": replay,
    "event-handler.deliveries": deliveries,
    "event-handler.delivery": delivery,
    "event-handler.events": events,
    "event-handler.users": users,
    "event-handler.retention": retention,
}
