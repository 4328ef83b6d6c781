"""What the command line changes acts in the real daemons at once."""

from __future__ import annotations

import stat
import subprocess

from services import mail_clients
from services.mail_clients import wait_for
from services.private import PASSWORD, Account, PrivateInstance, Site, xml

OTHER_PASSWORD = "An0ther/paper-Moon"


def test_an_account_that_is_made_by_a_command_receives_and_reads_mail(site: Site) -> None:
    alice = Account(site, "alice")
    site.instance.command(
        "mail", "create", alice.address, "--quota", "1MB", "--alias", "sales", "--password-stdin", text=PASSWORD + "\n"
    )
    site.instance.send("bob@peer.invalid", site.address("sales"), "By alias")
    assert alice.subjects() == ["By alias"]
    assert mail_clients.quota_bytes(alice.ports["imap"], alice.address, PASSWORD) == 2**20


def test_the_utility_of_old_scripts_makes_an_account_and_changes_its_password(site: Site) -> None:
    alice = Account(site, "alice")
    options = ("-mailbox", "true", "-mbox_quota", "20M", "-passwd", "-")
    site.instance.command("bin", "mail", "--create", alice.address, *options, text=PASSWORD + "\n")
    assert alice.logs_in()
    session = mail_clients.imap(alice.ports["imap"], alice.address, PASSWORD)
    site.instance.command("bin", "mail", "-u", alice.address, "-passwd", "-", text=OTHER_PASSWORD + "\n")
    assert wait_for("the session of the old password has ended", lambda: mail_clients.has_ended(session), 5)
    session.shutdown()
    assert not alice.logs_in()
    assert alice.logs_in(OTHER_PASSWORD)


def test_a_plan_changes_nothing_that_the_daemons_see(site: Site) -> None:
    alice = Account(site, "alice")
    site.instance.command("mail", "create", alice.address, "--plan", "--password-stdin", text=PASSWORD)
    assert not site.instance.takes(alice.address)


def test_a_removed_account_comes_back_with_its_mail_by_a_command(site: Site) -> None:
    alice = site.account("alice")
    site.instance.send("bob@peer.invalid", alice.address, "Before")
    site.instance.command("mail", "remove", alice.address)
    assert not site.instance.takes(alice.address)
    site.instance.command("mail", "restore", alice.address)
    assert alice.subjects() == ["Before"]


def test_the_mail_service_and_a_suspension_are_switched_by_commands(site: Site) -> None:
    alice = site.account("alice")
    for off, on in ((("mail", "off"), ("mail", "on")), (("site", "suspend"), ("site", "activate"))):
        site.instance.command(*off, site.name)
        assert not alice.logs_in()
        assert not site.instance.takes(alice.address)
        site.instance.command(*on, site.name)
        assert alice.logs_in()
        assert site.instance.takes(alice.address)


def test_a_packet_is_taken_from_standard_input(site: Site) -> None:
    packet = f"<packet><mail><get_info><filter>{xml('site-id', site.id)}</filter></get_info></mail></packet>"
    site.account("alice")
    assert "<name>alice</name>" in site.instance.command("call", text=packet).stdout


def test_only_root_and_the_panels_user_reach_the_listener(instance: PrivateInstance) -> None:
    socket = instance.state / "run" / "cli" / "cli.sock"
    found, folder = socket.stat(), socket.parent.stat()
    assert (stat.S_IMODE(found.st_mode), stat.S_IMODE(folder.st_mode)) == (0o600, 0o700)
    assert found.st_uid == folder.st_uid
    users = instance.description["users"]
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(socket)!r})"
    for user, enters in ((users["panel"], True), (users["mail"], False), ("postfix", False), ("nobody", False)):
        done = subprocess.run(["/usr/bin/python3", "-c", code], user=user, cwd="/", capture_output=True, check=False)
        assert (done.returncode == 0) is enters, user


def test_health_is_well_where_all_runs(instance: PrivateInstance) -> None:
    done = instance.command("health", check=False)
    assert done.returncode == 0, done.stdout
    assert [line[4:].partition(":")[0] for line in done.stdout.splitlines()] == ["database", "programs", "jobs"]
