"""Makes one attempt of a delivery: runs the command, or sends the request. Touches no database."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from innkeeper.core.errors import Refused
from innkeeper.core.models import OutboxEvent
from innkeeper.core.sealing import CannotUnsealError, unseal
from innkeeper.events import webhook
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.command import parse
from innkeeper.events.models import HandlerKind
from innkeeper.events.samples import sample
from innkeeper.hostd.client import Client, HostdError, RunLimits

MASK = "********"


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a handler is told, besides the parameters. A repeated event has the id of the first time."""

    id: str
    event: str
    object_type: str
    object_id: int
    actor: str
    at: datetime
    depth: int


def attempt(claim: Claim, hostd: Client) -> Result:
    """Make a delivery once. Whatever goes wrong is a result."""
    begun, started_at = time.monotonic(), timezone.now()
    plain = Result(claim.id, claim.handler.pk, claim.attempt, Verdict.FAILED, started_at, 0)
    try:
        secrets = _secrets(claim)
        if claim.handler.kind == HandlerKind.WEBHOOK:
            result = _send(claim, secrets, plain)
        else:
            result = _run(claim, secrets, plain, hostd)
        result = replace(
            result,
            stdout=_masked(result.stdout, secrets),
            stderr=_masked(result.stderr, secrets),
            error=_masked(result.error, secrets),
        )
    except (Refused, HostdError, CannotUnsealError) as error:
        result = replace(plain, error=str(error))
    except ConnectionError as error:
        # hostd was killed while it ran the handler, or is not there at all.
        away = isinstance(error, ConnectionRefusedError)
        result = replace(
            plain,
            verdict=Verdict.UNTRIED if away else Verdict.INTERRUPTED,
            error="It was interrupted: hostd ended during this attempt.",
        )
    except (FileNotFoundError, PermissionError):  # hostd is about to open its socket
        result = replace(plain, verdict=Verdict.UNTRIED)
    except Exception as error:
        result = replace(plain, error=f"{type(error).__name__}: {error}")
    return replace(result, duration_ms=result.duration_ms or round((time.monotonic() - begun) * 1000))


def occasion(claim: Claim) -> Occasion:
    event = claim.event
    if event is None:
        name = claim.handler.event
        return Occasion(f"test-{claim.id}", name, EVENTS[name].object_type, 0, "", timezone.now(), 0)
    id = str(event.number if event.number is not None else f"outbox-{event.pk}")
    return Occasion(id, event.event, event.object_type, event.object_id, event.login, event.at, event.depth)


def parameters(name: str, event: OutboxEvent | None) -> dict[str, str]:
    """Every `old_*` and `new_*` parameter; passwords are empty."""
    if event is None:
        secret = {each.name for each in EVENTS[name].parameters if each.secret}
        found = sample(EVENTS[name])
        return {key: "" if key.partition("_")[2] in secret else value for key, value in found.items()}
    values: dict[str, str] = json.loads(event.parameters)
    return values


def environment(what: Occasion, values: Mapping[str, str], attempt_number: int) -> dict[str, str]:
    """The variables of a command."""
    return {
        **{name.upper(): _passable(value) for name, value in values.items()},
        "INNKEEPER_EVENT": what.event,
        "INNKEEPER_EVENT_ID": what.id,
        "INNKEEPER_EVENT_TIME": what.at.isoformat(),
        "INNKEEPER_EVENT_DEPTH": str(what.depth + 1),
        "INNKEEPER_OBJECT_TYPE": what.object_type,
        "INNKEEPER_OBJECT_ID": str(what.object_id),
        "INNKEEPER_ACTOR": _passable(what.actor),
        "INNKEEPER_ATTEMPT": str(attempt_number),
    }


def _run(claim: Claim, secrets: Mapping[str, str], plain: Result, hostd: Client) -> Result:
    handler, what = claim.handler, occasion(claim)
    values = parameters(what.event, claim.event)
    # Passwords reach the environment alone: arguments are everybody's to read.
    argv = [_passable(word) for word in parse(handler.command, EVENTS[what.event]).render(values)]
    variables = environment(what, {**values, **secrets}, claim.attempt)
    limits = RunLimits(handler.timeout_s, handler.memory_mb, handler.output_kb, handler.open_files)
    found = hostd.run_handler(handler.user, argv, variables, limits, f"delivery-{claim.id}")
    error = found.error and f"It could not be started: {found.error}."
    if found.timed_out:
        error = f"It took longer than {handler.timeout_s} s and was ended."
    elif found.signal is not None:
        error = f"It was ended by signal {found.signal}."
    elif found.exit_status:
        error = f"It ended with status {found.exit_status}."
    return replace(
        plain,
        verdict=Verdict.FAILED if error else Verdict.DONE,
        duration_ms=found.duration_ms,
        exit_status=found.exit_status,
        signal=found.signal,
        stdout=found.stdout,
        stderr=found.stderr,
        error=error,
    )


def _send(claim: Claim, secrets: Mapping[str, str], plain: Result) -> Result:
    handler, what = claim.handler, occasion(claim)
    document = cloud_event(what, {**parameters(what.event, claim.event), **secrets})
    request = webhook.Request(
        url=handler.url,
        id=what.id,
        body=json.dumps(document, ensure_ascii=False).encode(),
        secret=unseal(bytes(handler.sealed_secret)),
        timeout_s=handler.timeout_s,
        allow_private=handler.allow_private,
        most_bytes=handler.output_kb * 1024,
    )
    try:
        answer = webhook.send(request)
    except webhook.NotSentError as failure:
        return replace(plain, error=str(failure))
    if 200 <= answer.status < 300:
        return replace(plain, verdict=Verdict.DONE, http_status=answer.status, stdout=answer.text)
    error = f"The receiver answered {answer.status}."
    if 300 <= answer.status < 400:
        error += " Redirects are not followed; give the final address."
    return replace(
        plain,
        verdict=Verdict.REFUSED if answer.status == 410 else Verdict.FAILED,
        http_status=answer.status,
        stdout=answer.text,
        error=error,
        retry_after_s=answer.retry_after_s,
    )


def cloud_event(what: Occasion, values: Mapping[str, str]) -> dict[str, Any]:
    """The event as a CloudEvents 1.0 document."""
    return {
        "specversion": "1.0",
        "id": what.id,
        "source": webhook.source(),
        "type": f"innkeeper.{what.event}",
        "subject": f"{what.object_type}/{what.object_id}",
        "time": what.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "event": what.event,
            "object_type": what.object_type,
            "object_id": what.object_id,
            "actor": what.actor,
            "parameters": dict(values),
        },
    }


def _secrets(claim: Claim) -> dict[str, str]:
    """The passwords of the event, if the handler is to get them and they are still there."""
    if claim.event is None or not claim.event.sealed or not claim.handler.pass_secrets:
        return {}
    values: dict[str, str] = json.loads(unseal(bytes(claim.event.sealed)))
    return values


def _masked(text: str, secrets: Mapping[str, str]) -> str:
    for secret in sorted(set(secrets.values()), key=len, reverse=True):
        text = text.replace(secret, MASK) if secret else text
    return text


def _passable(value: str) -> str:
    """A value as an argument or variable can hold it: no NUL, and nothing that is no character."""
    return value.replace("\0", "").encode(errors="replace").decode()
