"""What each of the server's users can read and change: the mail daemons, the panel, a stranger."""

from __future__ import annotations

import http.client
import os
import pwd
import re
import stat
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from services.packets import PacketRefused, Panel, unverified
from services.private import PASSWORD, PrivateInstance, Site


def run_as(user: str, *command: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    """A program as a system user with all its groups."""
    entry = pwd.getpwnam(user)
    groups = [g for g in os.getgrouplist(user, entry.pw_gid) if g != entry.pw_gid]
    return subprocess.run(
        command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=groups, cwd="/", input=text.encode(),
        capture_output=True, check=False,
    )  # fmt: skip


DUMP = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
    for row in connection.execute(f'SELECT * FROM "{table}"'):
        for value in row:
            if isinstance(value, (str, bytes)) and value:
                print(table, repr(value))
"""


Answer = tuple[int, list[tuple[str, str]], str]


def browse(instance: PrivateInstance, method: str, path: str, cookie: str = "", body: str = "") -> Answer:
    """One request as a browser makes it: status, headers, page."""
    connection = http.client.HTTPSConnection("127.0.0.1", instance.ports["panel"], context=unverified(), timeout=30)
    headers = {"Cookie": cookie, "Referer": f"https://127.0.0.1:{instance.ports['panel']}{path}"}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read().decode()
    finally:
        connection.close()


def cookies(headers: list[tuple[str, str]]) -> list[str]:
    """The cookies that an answer sets."""
    return [value.partition(";")[0] for name, value in headers if name.lower() == "set-cookie"]


def log_in(instance: PrivateInstance) -> str:
    """Log in to the panel as administrator; the session's cookie."""
    _, headers, page = browse(instance, "GET", "/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token, page[:2000]
    (form,) = cookies(headers)
    fields = {"csrfmiddlewaretoken": token[1], "login": "admin", "password": instance.panel.password}
    status, headers, _ = browse(instance, "POST", "/login/", form, urllib.parse.urlencode(fields))
    assert status in (302, 303), status
    port = instance.ports["panel"]
    (session,) = [cookie for cookie in cookies(headers) if cookie.startswith(f"__Host-innkeeper-{port}=")]
    return session


def is_logged_in(instance: PrivateInstance, cookie: str) -> bool:
    """Whether the panel shows the list of accounts to a browser with this cookie."""
    return browse(instance, "GET", "/mail/", cookie)[0] == 200


def test_nothing_in_the_sqlite_file_logs_in_to_the_panel(instance: PrivateInstance, site: Site) -> None:
    if instance.database_url:
        pytest.skip("the file exists on SQLite alone")
    customer = Site.fresh_name("alice").removesuffix(".test")
    instance.customer(customer)
    site.account("bob")
    key = instance.panel.result("<secret_key><create/></secret_key>").findtext("key") or ""
    session = log_in(instance)
    assert is_logged_in(instance, session)
    assert key
    file = str(instance.state / "db/innkeeper.sqlite3")
    for user in ("postfix", instance.description["users"]["policy"]):
        dumped = run_as(user, "/usr/bin/python3", "-c", DUMP, file)
        assert dumped.returncode == 0, dumped.stderr
        text = dumped.stdout.decode(errors="replace")
        assert customer in text, "the dump is of the right file"
        for secret in (instance.panel.password, PASSWORD, key, session.partition("=")[2]):
            assert secret not in text
        # Whatever stands there, used as it stands: as a session, and as a password or a key.
        values = {line.split(" ", 1)[1][1:-1] for line in text.splitlines() if " " in line}
        hashes = {value for value in values if value.startswith("$argon2id$")}
        assert len(hashes) >= 2
        lines = [line for line in text.splitlines() if line.startswith(("django_session ", "accounts_"))]
        keys = set(re.findall(r"'([0-9a-zA-Z_-]{32,64})'", "\n".join(lines)))
        assert keys
        name = session.partition("=")[0]
        assert not any(is_logged_in(instance, f"{name}={value}") for value in keys)
    for value in hashes:
        with pytest.raises(PacketRefused):
            Panel(instance.ports["panel"], customer, value).packet("<server><get_protos/></server>")


def test_the_mail_daemons_group_cannot_change_the_database(instance: PrivateInstance) -> None:
    if instance.database_url:
        role = instance.description["database"]["lookup_role"]
        password = (instance.state / "secrets/lookup-password").read_text().strip()
        import psycopg

        url = urllib.parse.urlsplit(instance.database_url)
        with psycopg.connect(
            host="127.0.0.1", port=url.port, dbname=url.path[1:], user=role, password=password, autocommit=True
        ) as daemon:
            assert daemon.execute("SELECT count(*) FROM svc_mail_domain").fetchone()
            for statement in (
                "SELECT * FROM accounts_account",
                "SELECT * FROM mail_mailaccount",
                "SELECT * FROM django_session",
                "UPDATE mail_mailservice SET enabled = false",
                "SET default_transaction_read_only = off; UPDATE mail_mailname SET address = ''",
                "CREATE TABLE mine (a int)",
                "SELECT * FROM innkeeper_policy.sent",
            ):
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                    daemon.execute(statement)
        return
    write = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DELETE FROM mail_mailname')"
    file = str(instance.state / "db/innkeeper.sqlite3")
    for user in ("postfix", instance.description["users"]["policy"]):
        done = run_as(user, "/usr/bin/python3", "-c", write, file)
        assert b"readonly" in done.stderr, done.stderr
        assert run_as(user, "/usr/bin/touch", str(instance.state / "db/new")).returncode != 0
    stranger = run_as("nobody", "/usr/bin/python3", "-c", DUMP, file)
    assert b"unable to open" in stranger.stderr, stranger.stderr


def test_the_panels_user_can_write_its_own_folders_alone(instance: PrivateInstance) -> None:
    user = instance.description["users"]["panel"]
    find = run_as(user, "/usr/bin/find", str(instance.state), "-writable", "-not", "-type", "l")
    writable = {Path(line).relative_to(instance.state) for line in find.stdout.decode().splitlines()}
    own = {Path("db"), Path("files"), Path("run/cli"), Path("run/panel"), Path("run/worker")}
    # A socket is not changed by writing to it; hostd's own check stands behind it.
    strange = {p for p in writable if not any(p == o or o in p.parents for o in own)}
    assert {p for p in strange if not stat.S_ISSOCK((instance.state / p).stat().st_mode)} == set()
    for closed in ("secrets/admin-password", "secrets/supervisor-password", "etc/supervisord.conf"):
        assert run_as(user, "/usr/bin/cat", str(instance.state / closed)).returncode != 0, closed


@pytest.mark.parametrize("who", ["nobody", "postfix", "policy", "mail"])
def test_secrets_are_closed_to_everybody_else(instance: PrivateInstance, who: str) -> None:
    user = instance.description["users"].get(who, who)
    own = {"policy-url"} if who == "policy" else set()
    for path in (instance.state / "secrets").iterdir():
        if path.name not in own:
            assert run_as(user, "/usr/bin/cat", str(path)).returncode != 0, path
    for socket in (
        p for p in (instance.state / "run").rglob("*") if p.name in ("hostd.sock", "supervisor.sock", "cli.sock")
    ):
        code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        done = run_as(user, "/usr/bin/python3", "-c", code, str(socket))
        assert b"PermissionError" in done.stderr, (socket, done.stderr)


def test_stored_mail_is_closed_to_the_panel(instance: PrivateInstance, site: Site) -> None:
    alice = site.account("alice")
    instance.send("bob@peer.invalid", alice.address, "Private")
    for user in (instance.description["users"]["panel"], "postfix", "nobody"):
        assert run_as(user, "/usr/bin/ls", str(instance.state / "mail")).returncode != 0
