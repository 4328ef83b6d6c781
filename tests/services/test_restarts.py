"""Mail and log-ins do not notice what happens to the panel's own processes."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from services.mail_clients import wait_for
from services.packets import PacketRefused
from services.private import Account, PrivateInstance, Site
from services.traffic import Traffic

PANEL, WORKER, COMMANDS = "innkeeper.doors.serve", "innkeeper.jobs.worker", "innkeeper.doors.cli.server"
KEEPER, HOSTD = "innkeeper.instance.keeper", "innkeeper.hostd"


def answers(instance: PrivateInstance) -> bool:
    """Whether the panel serves packets."""
    try:
        instance.panel.packet("<server><get_protos/></server>", timeout=5)
    except PacketRefused:
        return True
    except OSError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize(
    "programs",
    [(PANEL,), (WORKER,), (PANEL, WORKER, COMMANDS), (PANEL, WORKER, COMMANDS, HOSTD, KEEPER)],
    ids=["panel", "worker", "all-of-the-panel", "everything-but-mail"],
)
def test_mail_flows_while_programs_end(site: Site, programs: tuple[str, ...], number: signal.Signals) -> None:
    instance = site.instance
    account = site.account("alice")
    with Traffic(account) as traffic:
        for pid in [pid for program in programs for pid in instance.pids_of(program)]:
            try:
                for _ in range(3):  # whoever stops them may be impatient, or not alone
                    os.kill(pid, number)
            except ProcessLookupError:
                continue  # a child that went with its parent
        seen, logged_in = len(traffic.accepted), traffic.log_ins
        wait_for("traffic goes on", lambda: len(traffic.accepted) > seen + 4 and traffic.log_ins > logged_in + 2)
        wait_for("the panel is back", lambda: answers(instance), 40)
        site.account("bob")
    traffic.check()
    assert instance.takes(site.address("bob"))
    instance.up()
    assert instance.command("status").returncode == 0


def test_a_packet_stops_and_starts_a_service(site: Site) -> None:
    panel, account = site.instance.panel, site.account("carl")

    def man(action: str) -> None:
        panel.packet(f"<server><srv_man><id>mail</id><operation>{action}</operation></srv_man></server>")

    def state() -> str | None:
        answer = panel.packet("<server><get><services_state/></get></server>")
        return next(srv.findtext("state") for srv in answer.iter("srv") if srv.findtext("id") == "mail")

    man("stop")
    assert state() == "stopped"
    with pytest.raises(OSError):
        account.logs_in()
    man("start")
    assert state() == "running"
    wait_for("log-ins work again", lambda: logs_in(account))


def logs_in(account: Account) -> bool:
    try:
        return account.logs_in()
    except OSError:
        return False  # nobody listens yet


def test_an_account_made_just_before_the_panel_dies_is_served(site: Site) -> None:
    alice = site.account("alice")
    for pid in site.instance.pids_of(PANEL):
        with contextlib.suppress(ProcessLookupError):  # a child that went with its parent
            os.kill(pid, signal.SIGKILL)
    site.instance.send("bob@peer.invalid", alice.address, "Still here")
    assert alice.subjects() == ["Still here"]
    site.instance.up()
