"""The configuration that Postfix and Dovecot are given."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from innkeeper.components.drivers.postfix_dovecot import postfix
from innkeeper.components.drivers.postfix_dovecot.layout import File, Layout, Lookup
from innkeeper.components.drivers.postfix_dovecot.render import render

SQLITE = Lookup(path=Path("/s/db/panel.sqlite3"))
POSTGRESQL = Lookup(host="127.0.0.1", port=5433, name="inn", role="lookup", password="0123abcd")
LAYOUT = Layout(
    name="innkeeper-t", host="127.0.0.1", hostname="vm.localdomain",
    smtp_port=2525, submission_port=2587, imap_port=2143, pop3_port=2110, sieve_port=2419,
    etc=Path("/s/etc"), run=Path("/s/run"), log=Path("/s/log"), spool=Path("/s/spool"), data=Path("/s/lib/postfix"),
    storage=Path("/s/mail"), certificate=Path("/s/etc/tls/cert.pem"), certificate_key=Path("/s/etc/tls/key.pem"),
    files=Path("/s/files"),
    lookup=SQLITE, policy_socket=Path("/s/run/policy/policy.sock"), policy_user="t-policy",
    mail_user="t-mail", mail_uid=990, mail_gid=991, environment_mark="MARK", reply_program=Path("/s/reply.py"),
)  # fmt: skip


def files(lookup: Lookup) -> dict[str, File]:
    return {file.path: file for file in render(replace(LAYOUT, lookup=lookup))}


@pytest.mark.parametrize("lookup", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_the_password_stands_in_private_files_alone(lookup: Lookup) -> None:
    for file in files(lookup).values():
        assert file.private or "0123abcd" not in file.text, file.path
        assert file.private == (file.path.startswith("postfix/sql/") or "sql" in file.path or "dict" in file.path)


@pytest.mark.parametrize("lookup", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_every_map_is_written_and_every_written_map_is_used(lookup: Lookup) -> None:
    written = files(lookup)
    used = set(re.findall(r"\$\{config_directory\}/(sql/\w+\.cf)", written["postfix/main.cf"].text))
    assert used == {f"sql/{name}.cf" for name in postfix.QUERIES}
    assert {f"postfix/{path}" for path in used} <= written.keys()


def test_keys_of_whole_domains_are_not_suppressed() -> None:
    """But for the question about a recipient's domain, which its address alone answers."""
    for name, (_columns, _view, key) in postfix.QUERIES.items():
        assert key == {"plain": "'%u@%d'", "ours": "'%d'"}.get(name, "'%s'"), name


def test_postgresql_is_asked_through_proxymap_and_sqlite_directly() -> None:
    assert not re.search(r"(?<!proxy:)pgsql:", files(POSTGRESQL)["postfix/main.cf"].text)
    master = files(POSTGRESQL)["postfix/master.cf"].text
    assert len(re.findall(r"pgsql:", master)) == 2, "the few processes that resolve addresses ask themselves"
    main = files(SQLITE)["postfix/main.cf"].text
    assert "proxy:" not in main
    assert "sqlite:${config_directory}/sql/aliases.cf" in main


def test_no_process_of_postfix_is_chrooted() -> None:
    lines = files(SQLITE)["postfix/master.cf"].text.splitlines()
    services = [line.split() for line in lines if line and line[0] not in " #"]
    assert {service[4] for service in services} == {"n"}


def test_replies_have_no_tcp_port() -> None:
    master = files(SQLITE)["postfix/master.cf"].text
    assert re.findall(r"^(\S+) inet", master, re.M) == ["127.0.0.1:2525", "127.0.0.1:2587"]
    assert "reply unix n " in master
    assert "submission_host" not in files(SQLITE)["dovecot/dovecot.conf"].text


def test_a_unix_socket_of_postgresql_is_named_as_each_product_wants_it() -> None:
    written = files(replace(POSTGRESQL, host="/run/pg"))
    hosts = "hosts = postgresql://lookup:0123abcd@/inn?host=%2Frun%2Fpg&port=5433\n"
    assert hosts in written["postfix/sql/domains.cf"].text
    assert "host=/run/pg port=5433" in written["dovecot/sql.conf"].text
