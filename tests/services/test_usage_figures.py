"""What accounts and sites use, and when their owners were last there: kept by a job, shown by packets."""

from __future__ import annotations

import base64
import json

from services import mail_clients
from services.private import PrivateInstance, Site, xml


def usage(site: Site, name: str) -> int:
    """What `get_info` says."""
    filter_ = f"<filter>{xml('site-id', site.id)}{xml('name', name)}</filter>"
    (result,) = site.mail(f"<get_info>{filter_}<mailbox-usage/></get_info>")
    return int(result.findtext("mailname/mailbox/usage", "-1"))


def real_size(site: Site) -> int:
    """What the site's `gen_info` says."""
    request = f"<filter>{xml('id', site.id)}</filter><dataset><gen_info/></dataset>"
    result = site.instance.panel.result(f"<site><get>{request}</get></site>")
    return int(result.findtext("data/gen_info/real_size", "-1"))


def test_use_and_last_log_in_follow_what_is_stored(site: Site) -> None:
    alice = site.account("alice")
    site.instance.send("bob@peer.invalid", alice.address, "Large", ("x" * 75 + "\n") * 4000)
    site.instance.run_job("usage")
    before = usage(site, "alice")
    assert 300_000 < before < 500_000
    assert real_size(site) == before
    question = (
        "SELECT a.last_login_at FROM mail_mailaccount a JOIN mail_mailname n ON n.account_id = a.id"
        f" WHERE n.address = '{alice.address}'"
    )
    assert site.instance.sql(question) == [(None,)]
    session = mail_clients.imap(alice.ports["imap"], alice.address, alice.password)
    session.select("INBOX")
    session.store("1", "+FLAGS", r"\Deleted")
    session.expunge()
    session.logout()
    site.instance.run_job("usage")
    after = usage(site, "alice")
    assert after < 10_000  # Dovecot's own notes about the mailbox
    assert real_size(site) == after
    assert site.instance.sql(question) != [(None,)]


def test_files_of_the_repository_count_for_the_site(site: Site) -> None:
    site.account("alice")
    content = base64.b64encode(b"z" * 12_345).decode()
    site.old_update("alice", f"<repository><file><name>a.bin</name>{xml('content', content)}</file></repository>")
    site.instance.run_job("usage")
    assert usage(site, "alice") == 0
    assert real_size(site) == 12_345


def test_a_grave_no_longer_counts(site: Site) -> None:
    alice = site.account("alice")
    site.instance.send("bob@peer.invalid", alice.address, "Large", ("x" * 75 + "\n") * 400)
    site.instance.run_job("usage")
    assert real_size(site) > 0
    site.remove("alice")
    site.instance.run_job("usage")
    assert real_size(site) == 0


def test_a_reached_limit_of_disk_space_is_an_event(instance: PrivateInstance) -> None:
    site = instance.webspace(Site.fresh_name("full"))
    alice = site.account("alice")
    limit = "<limits><limit><name>disk_space</name><value>100000</value></limit></limits>"
    instance.panel.result(
        f"<webspace><set><filter>{xml('id', site.id)}</filter><values>{limit}</values></set></webspace>"
    )
    told = (
        "SELECT parameters FROM core_outboxevent WHERE event = 'domain_limit_size_reached'"
        f" AND object_id = {site.id} ORDER BY id"
    )
    instance.run_job("usage")
    assert instance.sql(told) == []
    instance.send("bob@peer.invalid", alice.address, "Large", ("x" * 75 + "\n") * 4000)
    for _ in range(2):
        instance.run_job("usage")
    [[parameters]] = instance.sql(told)
    values = parameters if isinstance(parameters, dict) else json.loads(parameters)
    assert (values["new_domain_name"], values["new_maximum_disk_space"]) == (site.name, "100000")
