"""To a stranger, an object of somebody else answers byte for byte like one that never existed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import packet_world
import pytest
from django.utils import timezone
from lxml import etree
from packet_client import request

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotAllowed
from innkeeper.doors.xmlapi import scope
from innkeeper.doors.xmlapi.operators import handlers
from innkeeper.hosting.models import FTPAccount, Site, Webspace, WebUser
from innkeeper.mail.operations import CreateAccounts, NewAccount, create_accounts

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
SUBDOMAIN_FILTERS = {
    "id": ("{subdomain}", NEVER_ID), "name": ("shop.example.test", NEVER_NAME),
    "parent-name": ("example.test", NEVER_NAME),
}  # fmt: skip
FTP_USER_FILTERS = {
    "name": ("team", NEVER_LOGIN), "webspace-id": ("7", NEVER_ID), "webspace-name": ("example.test", NEVER_NAME),
}  # fmt: skip
WEBUSER_FILTERS = {
    "id": ("{webuser}", NEVER_ID), "login": ("petr", NEVER_LOGIN),
    "site-id": ("7", NEVER_ID), "site-name": ("example.test", NEVER_NAME),
}  # fmt: skip
WEBUSER_SITES = {"site-id": ("7", NEVER_ID), "site-name": ("example.test", NEVER_NAME)}
DESCRIBE = "<values><gen_setup><description>x</description></gen_setup></values>"
FILTERED = (
    ("1.6.9.1", "customer", "get", "<dataset><gen_info/></dataset>", ACCOUNT_FILTERS),
    ("1.6.9.1", "customer", "set", "<values><gen_info><phone>1</phone></gen_info></values>", ACCOUNT_FILTERS),
    ("1.6.9.1", "customer", "get-domain-list", "", ACCOUNT_FILTERS),
    ("1.6.9.1", "customer", "del", "", ACCOUNT_FILTERS),
    ("1.6.9.1", "webspace", "get", "<dataset><gen_info/><hosting/><stat/></dataset>", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "set", DESCRIBE, WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get_traffic", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get-limit-descriptor", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get-permission-descriptor", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "get-physical-hosting-descriptor", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "webspace", "del", "", WEBSPACE_FILTERS),
    ("1.6.9.1", "site", "get", "<dataset><gen_info/><hosting/><stat/></dataset>", SITE_FILTERS),
    ("1.6.9.1", "site", "set", DESCRIBE, SITE_FILTERS),
    ("1.6.9.1", "site", "get_traffic", "", SITE_FILTERS),
    ("1.6.9.1", "site", "get-physical-hosting-descriptor", "", SITE_FILTERS),
    ("1.6.9.1", "site", "del", "", SITE_FILTERS),
    ("1.6.9.1", "subdomain", "get", "", SUBDOMAIN_FILTERS),
    ("1.6.9.1", "subdomain", "set", "<property><name>php</name><value>true</value></property>", SUBDOMAIN_FILTERS),
    ("1.6.9.1", "subdomain", "del", "", SUBDOMAIN_FILTERS),
    ("1.6.9.1", "ftp-user", "get", "", FTP_USER_FILTERS),
    ("1.6.9.1", "ftp-user", "set", "<values><quota>1</quota></values>", FTP_USER_FILTERS),
    ("1.6.9.1", "ftp-user", "del", "", FTP_USER_FILTERS),
    ("1.6.9.0", "webuser", "get", "", WEBUSER_FILTERS),
    ("1.6.9.0", "webuser", "set", "<values><ftp-quota>1</ftp-quota></values>", WEBUSER_FILTERS),
    ("1.6.9.0", "webuser", "del", "", WEBUSER_FILTERS),
    ("1.6.9.0", "webuser", "set-prefs", "<values><wuscripts>true</wuscripts></values>", WEBUSER_SITES),
    ("1.6.9.0", "webuser", "get-prefs", "", WEBUSER_SITES),
    ("1.6.0.2", "client", "set", "<values><gen_info><phone>1</phone></gen_info></values>", OLD_CLIENT_FILTERS),
    ("1.6.0.2", "client", "del", "", OLD_CLIENT_FILTERS),
    ("1.6.0.2", "client", "get", "<dataset><gen_info/></dataset>", OLD_CLIENT_FILTERS),
    ("1.6.0.2", "domain", "get", "<dataset><hosting/></dataset>", OLD_DOMAIN_FILTERS),
)  # fmt: skip
PARENTS = {
    "webspace-id": ("7", NEVER_ID), "webspace-name": ("example.test", NEVER_NAME),
    "webspace-guid": ("{webspace}", NEVER_GUID), "parent-site-id": ("7", NEVER_ID),
    "parent-site-name": ("example.test", NEVER_NAME),
    "parent-site-guid": ("{site}", NEVER_GUID),
}  # fmt: skip


NEW_OBJECTS = (
    ("server create_session", "<server><create_session><login>HOLE</login></create_session></server>",
     "alice", NEVER_LOGIN),
    ("subdomain rename", "<subdomain><rename><id>HOLE</id><name>b</name></rename></subdomain>",
     "{subdomain}", NEVER_ID),
    ("subdomain add", "<subdomain><add><parent>HOLE</parent><name>b</name></add></subdomain>",
     "example.test", NEVER_NAME),
    ("webuser add", "<webuser><add><site-id>HOLE</site-id><login>b</login></add></webuser>", "7", NEVER_ID),
    ("ftp-user add", "<ftp-user><add><name>b</name><password>Kx4!paper-Moon</password>"
     "<webspace-id>HOLE</webspace-id></add></ftp-user>", "7", NEVER_ID),
    ("ftp-user add by name", "<ftp-user><add><name>b</name><password>Kx4!paper-Moon</password>"
     "<webspace-name>HOLE</webspace-name></add></ftp-user>", "example.test", NEVER_NAME),
)  # fmt: skip
NAMES_NOBODY = {
    ("client", "add"), ("customer", "add"), ("mail", "get-available-mail-providers"), ("server", "get_protos"),
}  # fmt: skip
"""Operations that a customer may use and that name no object of anybody's."""


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
    for name, operation, foreign, never in NEW_OBJECTS:
        version = "1.6.9.0" if name.startswith("webuser") else "1.6.9.1"
        yield name, f'<packet version="{version}">{operation}</packet>', foreign, never
    for kind, foreign in (("owner-id", "3"), ("owner-login", "alice"), ("owner-guid", packet_world.ALICE_GUID)):
        never = {"owner-id": NEVER_ID, "owner-login": NEVER_LOGIN, "owner-guid": NEVER_GUID}[kind]
        setup = f"<gen_setup><name>new.test</name><{kind}>HOLE</{kind}></gen_setup>"
        yield f"webspace add {kind}", f"<packet><webspace><add>{setup}</add></webspace></packet>", foreign, never


@pytest.fixture(scope="module")
def marks(module_world: None) -> dict[str, str]:
    """Gives everybody everything that a stranger could name; what the marks in the tables stand for."""
    Account.objects.filter(login="alice").update(external_id="alices")
    Webspace.objects.filter(pk=7).update(external_id="shop", ftp_login="bakery")
    administrator = Actor(ActorKind.ADMINISTRATOR, 1, "admin")
    create_accounts(administrator, CreateAccounts(7, (NewAccount("sales"),)))
    now = timezone.now()
    shop = Site.objects.create(
        name="shop.example.test", ascii_name="shop.example.test", parent_id=7, webspace_id=7, created_at=now
    )
    petr = WebUser.objects.create(id=71, site_id=7, login="petr", created_at=now)
    FTPAccount.objects.create(webspace_id=7, name="team", created_at=now)
    return {
        "{webspace}": Webspace.objects.get(pk=7).guid, "{site}": Site.objects.get(pk=7).guid,
        "{subdomain}": str(shop.pk), "{webuser}": str(petr.pk),
    }  # fmt: skip


def answer(packet: str, value: str, caller: str) -> str:
    content = request(packet.replace("HOLE", value).encode(), {"KEY": f"{caller}-key"})[2].decode()
    # Not the "1" of a version: an object that was made first may have that id.
    return re.sub(rf"(?<![\w.-]){re.escape(value)}(?![\w-]|\.\d)", "HOLE", content)


CASES = list(packets())


def test_every_operation_that_a_customer_may_use_is_tried() -> None:
    tried = {(operator, operation) for _, packet, _, _ in CASES for operator, operation in [named(packet)]}
    for (_, operator), operations in handlers().items():
        for operation in operations:
            try:
                scope.require(Actor(ActorKind.CUSTOMER, 4, "charlie"), operator, operation)
            except NotAllowed:
                continue
            assert (operator, operation) in tried | NAMES_NOBODY


def named(packet: str) -> tuple[str, str]:
    """The operator and the operation of a packet."""
    operator = etree.fromstring(packet)[0]
    return str(operator.tag), str(operator[0].tag)


@pytest.mark.parametrize("case", CASES, ids=[case[0].replace(" ", "-") for case in CASES])
def test_a_foreign_object_answers_like_one_that_never_was(
    case: tuple[str, str, str, str], marks: dict[str, str], world: None
) -> None:
    _, packet, foreign, never = case
    foreign = marks.get(foreign, foreign)
    for caller in ("charlie", "rita"):
        if (foreign, caller) in (("2", "rita"), ("rita", "rita")):
            continue  # not foreign to her
        told = answer(packet, foreign, caller)
        assert told == answer(packet, never, caller)
        assert "<system>" not in told
        assert "<status>ok</status>" not in told
