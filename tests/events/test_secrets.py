"""Passwords of events: kept only for a handler that is to get them, sealed, and not longer than that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from delivering import Runs, handler, later
from handler_world import ADMINISTRATOR, SCRIPT, Machine

from innkeeper.accounts.operations import NewCustomer, create_customer
from innkeeper.core.models import OutboxEvent, SecretEvent
from innkeeper.core.sealing import seal, unseal
from innkeeper.events import deliver, webhook
from innkeeper.events.claims import Claim, Verdict
from innkeeper.events.models import Attempt, Delivery, EventHandler
from innkeeper.events.operations import NewHandler, create_handler, remove_handlers, set_enabled
from innkeeper.hostd.client import Run, RunLimits, RunResult
from tests.people import make_account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closed_loops")]
PASSWORD = "Kx4!paper-Moon"
COMMAND = f"{SCRIPT} <new_contact_name> <new_login_name>"


def customer(login: str) -> None:
    actor = replace(ADMINISTRATOR, account_id=make_account("admin", kind="admin").pk)
    create_customer(actor, NewCustomer(login=login, password=PASSWORD, contact={"contact_name": "Ines"}))


class Hostd:
    """Takes note of what it is to run, and echoes the environment, as a careless script would."""

    def __init__(self) -> None:
        self.argv: list[list[str]] = []
        self.environments: list[dict[str, str]] = []

    def run_handler(self, user: str, runs: Sequence[Run], limits: RunLimits) -> Iterator[list[RunResult]]:
        for run in runs:
            self.argv.append(list(run.argv))
            self.environments.append(dict(run.environment))
        yield [RunResult(0, None, str(run.environment), f"said {PASSWORD}", False, 1, False, "") for run in runs]


def delivered(hostd: Hostd) -> Runs:
    runs = Runs()
    runs.loop.pool._attempts = lambda claims: deliver.attempts(claims, hostd)  # type: ignore[arg-type]
    runs.settle()
    return runs


def everything() -> str:
    rows: list[Any] = [*OutboxEvent.objects.values(), *Delivery.objects.values(), *Attempt.objects.values()]
    return str(rows)


def test_without_such_a_handler_no_password_is_kept() -> None:
    handler()
    customer("ines")
    assert OutboxEvent.objects.get().sealed is None
    hostd = Hostd()
    delivered(hostd)
    assert hostd.environments[0]["NEW_PASSWORD"] == "" and hostd.environments[0]["NEW_LOGIN_NAME"] == "ines"


def test_a_marked_handler_gets_it_in_its_environment_alone_and_then_it_is_erased(machine: Machine) -> None:
    marked = create_handler(ADMINISTRATOR, NewHandler("client_create", command=COMMAND, user="jana", pass_secrets=True))
    handler("client_create", command="/bin/plain <new_login_name>")
    assert set(SecretEvent.objects.values_list("event", flat=True)) == {"client_create"}
    customer("ines")
    event = OutboxEvent.objects.get(event="client_create")
    assert PASSWORD in unseal(bytes(event.sealed or b"")) and PASSWORD not in everything()
    hostd = Hostd()
    delivered(hostd)
    assert sorted(each["NEW_PASSWORD"] for each in hostd.environments) == ["", PASSWORD]
    assert PASSWORD not in str(hostd.argv) and "OLD_PASSWORD" in hostd.environments[0]
    assert not OutboxEvent.objects.exclude(sealed=None).exists()
    assert deliver.MASK in str(list(Attempt.objects.filter(delivery__handler=marked.handler).values()))
    assert PASSWORD not in str(list(Attempt.objects.filter(delivery__handler=marked.handler).values()))


def test_a_webhooks_failure_does_not_say_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one = create_handler(ADMINISTRATOR, NewHandler("client_create", command=COMMAND, user="jana", pass_secrets=True))
    customer("ines")
    EventHandler.objects.filter(pk=one.handler.pk).update(kind="webhook", url="https://x/", sealed_secret=seal("x"))

    def fails(_: webhook.Request) -> webhook.Answer:
        raise webhook.NotSentError(f"The receiver does not like {PASSWORD}.")

    monkeypatch.setattr(webhook, "send", fails)
    delivered(Hostd())
    assert Attempt.objects.get().error == f"The receiver does not like {deliver.MASK}."


def test_it_stays_sealed_until_the_last_try(machine: Machine) -> None:
    create_handler(ADMINISTRATOR, NewHandler("client_create", command=COMMAND, user="jana", pass_secrets=True))
    customer("ines")
    verdicts = [Verdict.FAILED, Verdict.DONE]

    def verdict(claim: Claim) -> Verdict:
        assert claim.event is not None and claim.event.sealed
        return verdicts.pop(0)

    runs = Runs(verdict)
    runs.settle()
    assert OutboxEvent.objects.get(event="client_create").sealed
    later()
    runs.settle()
    assert OutboxEvent.objects.get(event="client_create").sealed is None


def test_the_mark_ends_with_its_handler(machine: Machine) -> None:
    saved = create_handler(ADMINISTRATOR, NewHandler("client_create", command=COMMAND, user="jana", pass_secrets=True))
    set_enabled(ADMINISTRATOR, [saved.handler.pk], False)
    assert not SecretEvent.objects.exists()
    set_enabled(ADMINISTRATOR, [saved.handler.pk], True)
    customer("ines")
    assert OutboxEvent.objects.get(event="client_create").sealed
    remove_handlers(ADMINISTRATOR, [saved.handler.pk])
    assert not SecretEvent.objects.exists()
    runs = Runs()
    runs.settle()
    assert OutboxEvent.objects.get(event="client_create").sealed is None
