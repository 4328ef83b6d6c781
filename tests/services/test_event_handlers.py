"""Handlers of events in a private instance: commands that hostd runs for what the operations did."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.mail_clients import wait_for
from services.private import PrivateInstance, Site

LOG_SCRIPT = """\
#!/bin/bash
echo "--------------" >> {log}
date >> {log}
echo "client created" >> {log}
echo "name: $1" >> {log}
echo "login: $2" >> {log}
echo "--------------" >> {log}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can read, and write files of."""
    made = Path(tempfile.mkdtemp(prefix="inn-events-", dir="/var/tmp"))
    made.chmod(0o755)
    (made / "handler.log").touch()
    (made / "handler.log").chmod(0o666)
    yield made
    shutil.rmtree(made)


def script(folder: Path, text: str, name: str = "test-handler.sh") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def create(instance: PrivateInstance, event: str, command: str, *more: str) -> int:
    done = instance.command("event-handler", "create", "--event", event, "--command", command, *more)
    return int(re.search(r"\d+", done.stdout)[0])  # type: ignore[index]


def remove(instance: PrivateInstance, *handlers: int) -> None:
    instance.command("event-handler", "remove", *map(str, handlers))


def hostd(instance: PrivateInstance) -> int:
    """hostd's pid; the runners are forked from it and look like it."""
    found = instance.pids_of("innkeeper.hostd")
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in found}
    return next(pid for pid, parent in parents.items() if parent not in found)


def test_the_example_of_the_documentation_writes_name_and_login(instance: PrivateInstance, folder: Path) -> None:
    log = folder / "handler.log"
    path = script(folder, LOG_SCRIPT.format(log=log), "test handler.sh")
    handler = create(instance, "client_create", f'"{path}" <new_contact_name> <new_login_name>')
    login = Site.fresh_name("ines").partition(".")[0]
    instance.customer(login)
    text = wait_for("the handler has written", lambda: (t := log.read_text()).count("--\n") == 2 and t)
    sys.stdout.write(f"{log}:\n{text}")
    lines = text.splitlines()
    assert lines[2:5] == ["client created", f"name: Customer {login}", f"login: {login}"]
    found = instance.command("event-handler", "deliveries", "--handler", str(handler), "--json").stdout
    assert '"done"' in found and json.loads(found)
    remove(instance, handler)


def test_a_command_runs_as_the_user_for_handlers_and_cannot_touch_the_panel(
    instance: PrivateInstance, folder: Path
) -> None:
    log, state = folder / "handler.log", instance.state
    tries = f"cat {state}/secrets/signing-key {state}/db/innkeeper.sqlite3; echo x > {state}/etc/event-handlers.toml"
    asks = f"echo '{{\"op\":\"programs\"}}' | perl -MIO::Socket::UNIX -e '{PERL}' {state}/run/hostd.sock"
    path = script(folder, f"#!/bin/sh\nexec 2>&1 >> {log}\nid -un\n{tries}\n{asks}\necho end\n")
    handler = create(instance, "client_create", str(path))
    instance.customer(Site.fresh_name("bob").partition(".")[0])
    text = wait_for("the handler has written", lambda: (t := log.read_text()).endswith("end\n") and t)
    assert text.splitlines()[0] == f"innkeeper-{instance.description['tag']}-events"
    assert text.splitlines()[1:] == ["no connection", "end"]
    assert pwd.getpwnam(text.splitlines()[0]).pw_shell == "/usr/sbin/nologin"
    remove(instance, handler)


PERL = (
    'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or do { print "no connection\\n"; exit };'
    " print $s <STDIN>; print <$s>;"
)


def test_root_is_refused_to_the_command_line_too(instance: PrivateInstance) -> None:
    for user in ("root", "postfix", f"innkeeper-{instance.description['tag']}", "nobody-here"):
        done = instance.command(
            "event-handler", "create", "--event", "client_create", "--command", "/bin/true", "--user", user, check=False
        )
        assert done.returncode and user in done.stderr


def test_a_killed_hostd_ends_its_handlers_and_the_event_is_delivered_again(
    instance: PrivateInstance, folder: Path
) -> None:
    log = folder / "handler.log"
    waits = 'setsid sleep 31 &\nsleep "$s"'
    begins = f's=$(cat {folder}/s)\necho "begun $INNKEEPER_EVENT_ID" >> {log}'
    path = script(folder, f"#!/bin/sh\n{begins}\n{waits}\necho ended >> {log}\n")
    (folder / "s").write_text("32")
    handler = create(instance, "client_create", str(path))
    instance.customer(Site.fresh_name("carol").partition(".")[0])
    wait_for("the handler runs", log.read_text)
    (folder / "s").write_text("0")
    os.kill(hostd(instance), signal.SIGKILL)
    text = wait_for("the handler ran again", lambda: (t := log.read_text()).endswith("ended\n") and t)
    begun = text.splitlines()
    assert begun[0] == begun[1] and begun[2:] == ["ended"]
    wait_for("nothing of either run is left", lambda: not instance.pids_of("sleep 3"), 20)
    remove(instance, handler)
