"""`event-handler` and `bin event_handler`, through the wire protocol of the command line.

The server that handlers would run on is described by the test; the service tests ask the real one.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from innkeeper.core.errors import InvalidValue
from innkeeper.core.models import OutboxEvent
from innkeeper.doors.cli import __main__ as program
from innkeeper.doors.cli import client, handlers, wire
from innkeeper.doors.cli.handlers.event_handler import moment
from innkeeper.events import system
from innkeeper.events.models import Attempt, Delivery, EventHandler
from innkeeper.hostd.client import CommandCheck

pytestmark = pytest.mark.django_db

SCRIPT = "/opt/my scripts/test-handler.sh"
COMMAND = f'"{SCRIPT}" <new_contact_name> <new_login_name>'


class Machine:
    """Answers in hostd's stead."""

    def handler_users(self) -> list[str]:
        return ["handlers", "jana"]

    def check_command(self, user: str, path: str) -> CommandCheck:
        if path != SCRIPT:
            return CommandCheck("No such file or directory", None)
        return CommandCheck(None, '#!/bin/sh\necho "$1 $2"\n')


class Wire:
    """The client's connection, with the listener's answer behind it, in this thread and its transaction."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.answered = False

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: object) -> None:
        self.near.close()
        self.far.close()

    def sendall(self, data: bytes) -> None:
        self.near.sendall(data)

    def recv(self, count: int) -> bytes:
        if not self.answered:
            self.answered = True
            request = wire.receive(self.far)
            assert isinstance(request, dict)
            wire.send(self.far, handlers.answer(self.far, request, b""))
        return self.near.recv(count)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: its exit code, and what it said on both streams."""
    monkeypatch.setattr(client, "_connect", lambda state: Wire())
    monkeypatch.setattr(handlers, "close_old_connections", lambda: None)
    monkeypatch.setattr(system, "hostd", Machine)

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["innkeeper", *words])
        code = program.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


Run = Callable[..., tuple[int, str, str]]


def created(run: Run, *words: str) -> int:
    code, out, err = run(
        "event-handler", "create", "--event", "client_create", "--user", "jana", "--command", COMMAND, *words
    )
    assert (code, err) == (0, ""), err
    return int(out)


def test_create_prints_the_new_id(run: Run) -> None:
    row = EventHandler.objects.get(pk=created(run, "--priority", "-3", "--timeout", "9", "--pass-secrets"))
    assert (row.event, row.user, row.command, row.priority) == ("client_create", "jana", COMMAND, -3)
    assert (row.timeout_s, row.memory_mb, row.pass_secrets, row.enabled) == (9, 512, True, True)


def test_a_warning_is_said_and_the_handler_saved(run: Run) -> None:
    words = ["event-handler", "create", "--event", "client_create", "--user", "jana", "--command"]
    code, out, err = run(*words, f'"{SCRIPT}" <new_login_name>')
    assert code == 0
    assert EventHandler.objects.get().pk == int(out)
    assert err.startswith("innkeeper: warning: The script uses $2")
    code, out, _ = run(*words, f'"{SCRIPT}" <new_login_name>', "--json")
    assert json.loads(out)["warnings"][0].startswith("The script uses $2")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--event", "client_creat", "--user", "jana", "--command", COMMAND], 3, "Did you mean client_create"),
        (["--event", "client_create", "--user", "root", "--command", COMMAND], 7, "may not run as 'root'"),
        (["--event", "client_create", "--user", "jana", "--command", "/opt/my scripts/x"], 7, "in quotes"),
        (["--event", "client_create", "--user", "jana", "--command", COMMAND + "<"], 7, "neither a placeholder"),
        (["--event", "client_create", "--user", "jana"], 7, "command: it is empty"),
        (["--user", "jana", "--command", COMMAND], 2, "event: it is missing"),
        (["--event", "client_create", "--command", COMMAND, "--webhook", "https://a.example/"], 2, "give one of them"),
        (["--event", "client_create", "--webhook", "http://a.example/"], 7, "over https alone"),
        (["--event", "client_create", "--webhook", "https://10.0.0.1/"], 7, "private address"),
        (["--event", "client_create", "--priority", "high", "--command", COMMAND], 7, "not a whole number"),
        (["--event", "client_create", "--priority", "9" * 30, "--user", "jana", "--command", COMMAND], 7, "range"),
        (["--event", "client_create", "--wehbook", "x"], 2, "Did you mean --webhook"),
    ],
)
def test_what_is_refused_says_why(run: Run, words: list[str], code: int, message: str) -> None:
    found = run("event-handler", "create", *words)
    assert (found[0], found[1]) == (code, "")
    assert message in found[2]
    assert not EventHandler.objects.exists()


def test_update_list_and_show(run: Run) -> None:
    id = created(run)
    assert (
        run("event-handler", "update", str(id), "--priority", "75", "--user", "handlers", "--no-pass-secrets")[0] == 0
    )
    assert run("event-handler", "update", str(id), "--priority", "1", "--plan")[1].startswith(
        "would do event_handler.up"
    )
    assert run("event-handler", "update", str(id))[0] == 2
    assert run("event-handler", "update", "77", "--priority", "1")[0] == 3
    code, out, _ = run("event-handler", "list")
    assert code == 0
    assert out.split() == [str(id), "on", "75", "client_create", "handlers", *COMMAND.split()]
    code, out, _ = run("event-handler", "show", str(id), "--json")
    shown = json.loads(out)
    assert (code, shown["priority"], shown["user"], shown["last_at"]) == (0, 75, "handlers", None)
    assert "secret" not in " ".join(shown.keys() - {"pass_secrets"})
    assert f"command:        {COMMAND}\n" in run("event-handler", "show", str(id))[1]


def test_several_are_switched_and_removed(run: Run) -> None:
    first, second = created(run), created(run)
    assert run("event-handler", "disable", str(first), str(second))[1] == f"disabled {first}\ndisabled {second}\n"
    assert not EventHandler.objects.filter(enabled=True).exists()
    assert run("event-handler", "enable", str(first))[0] == 0
    code, out, err = run("event-handler", "remove", str(first), "909", str(second))
    assert (code, out) == (3, f"removed {first}\nremoved {second}\n")
    assert "no event handler 909" in err
    assert not EventHandler.objects.exists()
    code, out, _ = run("event-handler", "remove", "909", "--json")
    assert code == 3
    assert json.loads(out)["errors"][0]["id"] == 909


def test_deliveries_with_their_output_and_replay(run: Run) -> None:
    id = created(run)
    happened = OutboxEvent.objects.create(
        at=timezone.now(), event="client_create", object_type="client", object_id=4, login="admin", address="",
        parameters="{}", state="dispatched",
    )  # fmt: skip
    code, out, _ = run("event-handler", "test", str(id))
    delivery = Delivery.objects.get()
    assert (code, out, delivery.outbox_id) == (0, f"delivery {delivery.pk}\n", happened.pk)
    Attempt.objects.create(
        delivery=delivery, number=1, started_at=timezone.now(), duration_ms=12, exit_status=3, stderr="no\x1b[31mdisk\n"
    )
    code, out, _ = run("event-handler", "delivery", str(delivery.pk))
    assert "\n\nattempt 1 at " in out
    assert "exit status 3, after 12 ms\n--- stderr\nno\\x1b[31mdisk\n" in out
    found = json.loads(run("event-handler", "deliveries", "--handler", str(id), "--since", "1h", "--json")[1])
    assert [(each["id"], each["test"], each["state"]) for each in found["deliveries"]] == [
        (delivery.pk, True, "waiting")
    ]
    assert run("event-handler", "deliveries", "--status", "dead")[1] == ""
    assert run("event-handler", "deliveries", "--status", "lost")[0] == 7
    assert run("event-handler", "deliveries", "--since", "yesterday")[0] == 7
    assert run("event-handler", "delivery", "31")[0] == 3
    plan = run("event-handler", "replay", "--handler", str(id), "--since", "1h", "--plan")[1]
    assert re.match(r"would do event_handler.replay on event_handler client_create \(1 events of ", plan)
    assert Delivery.objects.count() == 1
    assert run("event-handler", "replay", "--delivery", str(delivery.pk))[1] == f"events again for handler {id}: 1\n"
    assert Delivery.objects.count() == 2
    assert run("event-handler", "replay", "--handler", str(id))[0] == 7


def test_more_deliveries_than_a_page(run: Run) -> None:
    row = EventHandler.objects.get(pk=created(run))
    now = timezone.now()
    Delivery.objects.bulk_create(
        Delivery(
            outbox_id=number, handler=row, event=row.event, object_type="client", object_id=1, priority=1,
            due_at=now, created_at=now,
        )
        for number in range(620)
    )  # fmt: skip
    assert len(run("event-handler", "deliveries")[1].splitlines()) == 100
    lines = run("event-handler", "deliveries", "--limit", "610")[1].splitlines()
    assert len(lines) == len(set(lines)) == 610
    assert len(run("event-handler", "deliveries", "--after", lines[-1].split()[0])[1].splitlines()) == 10


def test_the_catalogue(run: Run) -> None:
    lines = run("event-handler", "events")[1].splitlines()
    assert len(lines) == 81
    assert any(line.startswith("maillist_create ") and line.endswith("(not raised yet)") for line in lines)
    out = run("event-handler", "events", "client_create")[1]
    assert "  <old_login_name> <new_login_name>  Login Name, always given\n" in out
    assert "  <old_password> <new_password>  Password, secret: never in a command\n" in out
    shown = json.loads(run("event-handler", "events", "domain_limit_size_reached", "--json")[1])
    assert [each["name"] for each in shown["parameters"]] == ["domain_name", "maximum_disk_space", "maximum_traffic"]
    assert run("event-handler", "events", "client_creat")[0] == 3
    assert run("event-handler", "users")[1] == "handlers\njana\n"


def test_retention(run: Run) -> None:
    assert run("event-handler", "retention")[1] == "events are kept for 30 days\n"
    assert run("event-handler", "retention", "9", "--plan")[0] == 0
    assert run("event-handler", "retention", "8")[1] == "events are kept for 8 days\n"
    assert run("event-handler", "retention", "0")[0] == 7


def test_moments() -> None:
    assert moment("2026-01-31T18:00", "since") == datetime(2026, 1, 31, 18, tzinfo=UTC)
    assert moment("2026-01-31T18:00+02:00", "since") == datetime(2026, 1, 31, 16, tzinfo=UTC)
    assert abs(timezone.now() - timedelta(days=7) - moment("7d", "since")) < timedelta(minutes=1)
    for text in ("", "7 days", "x" * 500, "2026-02-30", "999999d", "-1h"):
        with pytest.raises(InvalidValue, match=r"since: .* is no moment"):
            moment(text, "since")


# ---- bin event_handler


def test_the_documented_form_of_the_utility(run: Run) -> None:
    code, out, _ = run(
        "bin", "event_handler", "--create", "-command", COMMAND, "-priority", "50", "-user", "jana",
        "-event", "client_create",
    )  # fmt: skip
    row = EventHandler.objects.get()
    assert (code, out) == (0, f"SUCCESS: Creation of event handler '{row.pk}' complete\n")
    assert (row.command, row.priority, row.user, row.event) == (COMMAND, 50, "jana", "client_create")
    code, out, _ = run("bin", "event_handler", "--update", str(row.pk), "-priority", "7")
    assert (code, out) == (0, f"SUCCESS: Update of event handler '{row.pk}' complete\n")
    code, out, _ = run("bin", "event_handler", "--list")
    start = f"Id: {row.pk}  Event: client_create  Priority: 7  User: jana"
    assert out == f"{start}  Command: {COMMAND}  Enabled: true\n"
    assert len(run("bin", "event_handler", "-le")[1].splitlines()) == 81
    assert run("bin", "event_handler", "--list-users")[1] == "handlers\njana\n"
    code, out, _ = run("bin", "event_handler", "--remove", str(row.pk))
    assert (code, out) == (0, f"SUCCESS: Removal of event handler '{row.pk}' complete\n")
    assert not EventHandler.objects.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--create", "-event", "client_create"], 1),
        (["--create", "-event", "nothing", "-command", COMMAND], 3),
        (["--create", "-event", "client_create", "-command", "/nowhere", "-user", "jana"], 4),
        (["--create", "-event", "client_create", "-command", COMMAND, "-user", "root"], 4),
        (["--create", "-event", "client_create", "-command", COMMAND, "-priority", "x"], 4),
        (["--update", "5", "-priority", "3"], 3),
        (["--update", "5"], 1),
        (["--remove", "5"], 3),
        (["--remove", "five"], 1),
        (["--remove"], 1),
        (["--list", "-user", "jana"], 1),
        (["--list-event"], 1),
    ],
)
def test_exit_codes_of_the_utility(run: Run, words: list[str], code: int) -> None:
    found = run("bin", "event_handler", *words)
    assert found[0] == code, found
    assert found[2].startswith("innkeeper: ")
    assert not EventHandler.objects.exists()
