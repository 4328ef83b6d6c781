"""Makes attempts of deliveries: runs the commands, or sends the requests. Touches no database."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
from innkeeper.hostd.client import Client, HostdError, Run, RunLimits, RunResult

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


@dataclass(frozen=True, slots=True)
class Progress:
    """What came of the first attempts of which nothing was told yet, and how many of the last ones were not begun."""

    results: list[Result]
    given_back: int = 0


def attempts(claims: Sequence[Claim], hostd: Client) -> Iterator[Progress]:
    """Make deliveries of one handler, each once, one after the other. Whatever goes wrong is a result.

    In the end each claim has a result or was given back. Claims behind one that takes long are given back at once.
    """
    left = list(claims)
    begun, started_at = time.monotonic(), timezone.now()

    def plain(claim: Claim) -> Result:
        return Result(claim.id, claim.handler.pk, claim.attempt, Verdict.FAILED, started_at, _since(begun))

    def come_to(results: list[Result]) -> Progress:
        """Of what goes on one at most has begun."""
        del left[: len(results)]
        behind = len(left[1:])
        del left[1:]
        return Progress(results, behind)

    try:
        if claims[0].handler.kind == HandlerKind.WEBHOOK:
            yield come_to([_send(claims[0], plain(claims[0]))])
        else:
            for found in _run(claims, hostd):
                made = zip(left, found, strict=False)
                yield come_to([_result(claim, each, plain(claim)) for claim, each in made])
    except ConnectionError as error:
        # hostd was killed while it ran the handler, or is not there at all.
        verdict = Verdict.UNTRIED if isinstance(error, ConnectionRefusedError) else Verdict.INTERRUPTED
        text = "It was interrupted: hostd ended during this attempt."
        yield Progress([replace(plain(claim), verdict=verdict, error=text) for claim in left])
        left.clear()
    except (FileNotFoundError, PermissionError):  # hostd is about to open its socket
        yield Progress([replace(plain(claim), verdict=Verdict.UNTRIED) for claim in left])
        left.clear()
    except Exception as error:
        if len(left) > 1:  # which of them it was shows when they are made one by one
            yield Progress([], len(left) - 1)
            yield from attempts(left[:1], hostd)
        else:
            text = str(error) if isinstance(error, (Refused, HostdError, CannotUnsealError)) else _described(error)
            yield Progress([replace(plain(claim), error=text) for claim in left])
        left.clear()
    if left:
        yield Progress([], len(left))


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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


def _run(claims: Sequence[Claim], hostd: Client) -> Iterator[list[RunResult]]:
    handler = claims[0].handler
    command = parse(handler.command, EVENTS[handler.event])
    runs = []
    for claim in claims:
        what = occasion(claim)
        values = parameters(what.event, claim.event)
        # Passwords reach the environment alone: arguments are everybody's to read.
        argv = [_passable(word) for word in command.render(values)]
        variables = environment(what, {**values, **_secrets(claim)}, claim.attempt)
        runs.append(Run(f"delivery-{claim.id}", argv, variables))
    limits = RunLimits(handler.timeout_s, handler.memory_mb, handler.output_kb, handler.open_files)
    return hostd.run_handler(handler.user, runs, limits)


def _result(claim: Claim, found: RunResult, plain: Result) -> Result:
    error = found.error and f"It could not be started: {found.error}."
    if found.timed_out:
        error = f"It took longer than {claim.handler.timeout_s} s and was ended."
    elif found.signal is not None:
        error = f"It was ended by signal {found.signal}."
    elif found.exit_status:
        error = f"It ended with status {found.exit_status}."
    secrets = _secrets(claim)
    return replace(
        plain,
        verdict=Verdict.FAILED if error else Verdict.DONE,
        started_at=timezone.now() - timedelta(milliseconds=found.duration_ms),
        duration_ms=found.duration_ms,
        exit_status=found.exit_status,
        signal=found.signal,
        stdout=_masked(found.stdout, secrets),
        stderr=_masked(found.stderr, secrets),
        error=error,
    )


def _send(claim: Claim, plain: Result) -> Result:
    handler, what, secrets = claim.handler, occasion(claim), _secrets(claim)
    document = cloud_event(what, {**parameters(what.event, claim.event), **secrets})
    request = webhook.Request(
        url=handler.url,
        id=what.id,
        body=json.dumps(document, ensure_ascii=False).encode(),
        secret=unseal(bytes(handler.sealed_secret)),
        timeout_s=handler.timeout_s,
        depth=what.depth + 1,
        allow_private=handler.allow_private,
        most_bytes=handler.output_kb * 1024,
    )
    begun = time.monotonic()
    try:
        answer = webhook.send(request)
    except webhook.NotSentError as failure:
        return replace(plain, duration_ms=_since(begun), error=_masked(str(failure), secrets))
    plain = replace(plain, duration_ms=_since(begun), http_status=answer.status, stdout=_masked(answer.text, secrets))
    if 200 <= answer.status < 300:
        return replace(plain, verdict=Verdict.DONE)
    error = f"The receiver answered {answer.status}."
    if 300 <= answer.status < 400:
        error += " Redirects are not followed; give the final address."
    return replace(
        plain,
        verdict=Verdict.REFUSED if answer.status == 410 else Verdict.FAILED,
        error=error,
        retry_after_s=answer.retry_after_s,
    )


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


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
