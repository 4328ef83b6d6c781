"""To a stranger, an object of somebody else answers byte for byte like one that never existed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import packet_world
import pytest
from packet_client import request

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.models import Site, Webspace
from innkeeper.mail.operations import CreateAccounts, NewAccount, create_accounts

pytestmark = pytest.mark.django_db

NEVER_ID = "999"
NEVER_NAME = "nobody.test"
NEVER_LOGIN = "nobody"
NEVER_GUID = "00000000-0000-4000-8000-000000000000"
NEVER_EXTERNAL = "never"

MAIL = {
    "create": "<create><filter><{site}>{id}</{site}><mailname><name>a</name></mailname></filter></create>",
    "create an account that is there":
        "<create><filter><{site}>{id}</{site}><mailname><name>sales</name></mailname></filter></create>",
    "create with a password":
        "<create><filter><{site}>{id}</{site}><mailname><name>a</name>{password}</mailname></filter></create>",
    "add": "<update><add><filter><{site}>{id}</{site}><mailname><name>sales</name></mailname></filter></add></update>",
    "set": "<update><set><filter><{site}>{id}</{site}><mailname><name>sales</name></mailname></filter></set></update>",
    "take":
        "<update><remove><filter><{site}>{id}</{site}><mailname><name>sales</name></mailname></filter></remove></update>",
    "get_info of all": "<get_info><filter><{site}>{id}</{site}></filter><mailbox/></get_info>",
    "get_info": "<get_info><filter><{site}>{id}</{site}><name>sales</name></filter><mailbox/></get_info>",
    "remove of all": "<remove><filter><{site}>{id}</{site}></filter></remove>",
    "remove": "<remove><filter><{site}>{id}</{site}><name>sales</name></filter></remove>",
    "rename": "<rename><{site}>{id}</{site}><name>sales</name><new-name>b</new-name></rename>",
    "enable": "<enable><{site}>{id}</{site}></enable>",
    "disable": "<disable><{site}>{id}</{site}></disable>",
    "set_prefs": "<set_prefs><filter><{site}>{id}</{site}></filter><prefs><webmail>none</webmail></prefs></set_prefs>",
    "get_prefs": "<get_prefs><filter><{site}>{id}</{site}></filter></get_prefs>",
}  # fmt: skip
PASSWORDS = {
    "site-id": "<password><value>Kx4!paper-Moon</value></password>",
    "domain_id": "<password>Kx4!paper-Moon</password>",
}
ACCOUNT_FILTERS = {
    "id": ("3", NEVER_ID), "login": ("alice", NEVER_LOGIN), "guid": (packet_world.ALICE_GUID, NEVER_GUID),
    "external-id": ("alices", NEVER_EXTERNAL), "owner-id": ("2", NEVER_ID), "owner-login": ("rita", NEVER_LOGIN),
}  # fmt: skip
WEBSPACE_FILTERS = {
    "id": ("7", NEVER_ID), "name": ("example.test", NEVER_NAME), "guid": ("{webspace}", NEVER_GUID),
    "external-id": ("shop", NEVER_EXTERNAL), "owner-id": ("3", NEVER_ID), "owner-login": ("alice", NEVER_LOGIN),
    "owner-guid": (packet_world.ALICE_GUID, NEVER_GUID), "owner-external-id": ("alices", NEVER_EXTERNAL),
}  # fmt: skip
SITE_FILTERS = {
    "id": ("7", NEVER_ID), "name": ("example.test", NEVER_NAME), "guid": ("{site}", NEVER_GUID),
    "parent-id": ("7", NEVER_ID), "parent-name": ("example.test", NEVER_NAME),
    "parent-guid": ("{webspace}", NEVER_GUID), "parent-site-id": ("7", NEVER_ID),
    "parent-site-name": ("example.test", NEVER_NAME), "parent-site-guid": ("{site}", NEVER_GUID),
}  # fmt: skip
OLD_CLIENT_FILTERS = {"id": ("3", NEVER_ID), "login": ("alice", NEVER_LOGIN)}
OLD_DOMAIN_FILTERS = {
    "id": ("7", NEVER_ID), "domain-name": ("example.test", NEVER_NAME), "guid": ("{webspace}", NEVER_GUID),
    "owner-id": ("3", NEVER_ID), "owner-login": ("alice", NEVER_LOGIN),
}  # fmt: skip
DESCRIBE = "<values><gen_setup><description>x</description></gen_setup></values>"
FILTERED = (
    ("1.6.9.1", "customer", "get", "<dataset><gen_info/></dataset>", ACCOUNT_FILTERS),
    ("1.6.9.1", "customer", "set", "<values><gen_info><phone>1</phone></gen_info></values>", ACCOUNT_FILTERS),
    ("1.6.9.1", "customer", "get-domain-list", "", ACCOUNT_FILTERS),
    ("1.6.9.1", "customer", "del", "", ACCOUNT_FILTERS),
    ("1.6.9.1", "webspace", "get", "<dataset><gen_info/><hosting/><stat/></dataset>", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "set", DESCRIBE, WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get-limit-descriptor", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get-permission-descriptor", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get-physical-hosting-descriptor", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "del", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "site", "get", "<dataset><gen_info/><hosting/><stat/></dataset>", SITE_FILTERS),
    ("1.6.9.1", "site", "set", DESCRIBE, SITE_FILTERS),
    ("1.6.9.1", "site", "get-physical-hosting-descriptor", "", SITE_FILTERS),
    ("1.6.9.1", "site", "del", "", SITE_FILTERS),
    ("1.6.0.2", "client", "get", "<dataset><gen_info/></dataset>", OLD_CLIENT_FILTERS),
    ("1.6.0.2", "domain", "get", "<dataset><hosting/></dataset>", OLD_DOMAIN_FILTERS),
)  # fmt: skip
PARENTS = {
    "webspace-id": ("7", NEVER_ID), "webspace-name": ("example.test", NEVER_NAME),
    "webspace-guid": ("{webspace}", NEVER_GUID), "parent-site-id": ("7", NEVER_ID),
    "parent-site-name": ("example.test", NEVER_NAME),
    "parent-site-guid": ("{site}", NEVER_GUID),
}  # fmt: skip


def packets() -> Iterator[tuple[str, str, str, str]]:
    """What is asked, the packet with a hole, the foreign value and the one that never was."""
    for version, site in (("1.6.9.1", "site-id"), ("1.6.0.2", "domain_id")):
        for name, operation in MAIL.items():
            body = operation.replace("{site}", site).replace("{password}", PASSWORDS[site]).replace("{id}", "HOLE")
            yield f"mail {name} {site}", f'<packet version="{version}"><mail>{body}</mail></packet>', "7", NEVER_ID
    for version, operator, operation, rest, filters in FILTERED:
        for kind, (foreign, never) in filters.items():
            body = f"<{operation}><filter><{kind}>HOLE</{kind}></filter>{rest}</{operation}>"
            yield (
                f"{operator} {operation} {kind}",
                f'<packet version="{version}"><{operator}>{body}</{operator}></packet>', foreign, never,
            )  # fmt: skip
    for kind, (foreign, never) in PARENTS.items():
        setup = f"<gen_setup><name>new.test</name><{kind}>HOLE</{kind}></gen_setup>"
        yield f"site add {kind}", f"<packet><site><add>{setup}</add></site></packet>", foreign, never
    for kind, foreign in (("owner-id", "3"), ("owner-login", "alice"), ("owner-guid", packet_world.ALICE_GUID)):
        never = {"owner-id": NEVER_ID, "owner-login": NEVER_LOGIN, "owner-guid": NEVER_GUID}[kind]
        setup = f"<gen_setup><name>new.test</name><{kind}>HOLE</{kind}></gen_setup>"
        yield f"webspace add {kind}", f"<packet><webspace><add>{setup}</add></webspace></packet>", foreign, never


def answer(packet: str, value: str, caller: str) -> str:
    content = request(packet.replace("HOLE", value).encode(), {"KEY": f"{caller}-key"})[2].decode()
    return re.sub(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", "HOLE", content)


CASES = list(packets())


@pytest.mark.parametrize("case", CASES, ids=[case[0].replace(" ", "-") for case in CASES])
def test_a_foreign_object_answers_like_one_that_never_was(case: tuple[str, str, str, str]) -> None:
    packet_world.build()
    Account.objects.filter(login="alice").update(external_id="alices")
    Webspace.objects.filter(pk=7).update(external_id="shop")
    administrator = Actor(ActorKind.ADMINISTRATOR, 1, "admin")
    create_accounts(administrator, CreateAccounts(7, (NewAccount("sales"),)))
    _, packet, foreign, never = case
    foreign = foreign.replace("{webspace}", Webspace.objects.get(pk=7).guid).replace(
        "{site}", Site.objects.get(pk=7).guid
    )
    for caller in ("charlie", "rita"):
        if (foreign, caller) in (("2", "rita"), ("rita", "rita")):
            continue  # not foreign to her
        told = answer(packet, foreign, caller)
        assert told == answer(packet, never, caller)
        assert "<system>" not in told
        assert "<status>ok</status>" not in told
