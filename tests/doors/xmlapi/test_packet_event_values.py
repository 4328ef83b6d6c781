"""Each event that an operation raises, with the very values that the documentation gives it, through the packet door.

What is not named in an example is empty: the old side of what is created, the new one of what is removed, passwords.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import packet_world
import pytest
from packet_client import request
from raised_events import follows_the_catalogue

from innkeeper.accounts.visits import record_login, record_logout
from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.models import OutboxEvent, SecretEvent
from innkeeper.core.sealing import unseal
from innkeeper.events.catalogue import EVENTS
from innkeeper.hosting.models import Site
from innkeeper.hosting.operations import tell_reached_limits
from tests.null_hostd import NullHostd

pytestmark = pytest.mark.usefixtures("world")

FALSE = {"coldfusion_support": "false", "asp_support": "false"}
FRONTPAGE = {"fp_support": "false", "fpssl_support": "false", "fp_authoring": "false"}
SCRIPTS = {f"{name}_support": "false" for name in ("ssi", "php", "cgi", "perl", "python")} | FALSE
ALICE = {"login_name": "alice", "contact_name": "Alice", "email": "alice@example.test"}
PREFERENCES = {
    "login_name": "alice", "contact_name": "Alice", "allow_multiple_sessions": "true", "interface_skin": "auto",
}  # fmt: skip
INES = {
    "login_name": "ines", "contact_name": "Ines \"O'Duya\" $(reboot)", "company_name": "Harbour & Co",
    "phone": "+351 1", "fax": "+351 2", "email": "ines@example.org", "address": "Cais 1", "city": "Porto",
    "state_province": "Norte", "postal_zip_code": "4000", "country": "PT",
}  # fmt: skip
ADA = {
    "login_name": "admin", "contact_name": "Ada", "company_name": "Host", "phone": "1", "fax": "2",
    "email": "ada@example.test", "address": "A", "city": "B", "state_province": "C", "postal_zip_code": "D",
    "country": "GB",
}  # fmt: skip
SECOND_ADDRESS = {"ip_address": "192.0.2.11", "ip_mask": "255.255.255.0", "interface": "lo", "ip_type": "shared"}
HOSTED = SCRIPTS | FRONTPAGE | {
    "domain_name": "empty.test", "ip_address": "192.0.2.10", "ip_type": "shared", "system_user": "kim",
    "system_shell": "/bin/false", "ssl_support": "false", "custom_error_documents": "false", "web_statistics": "none",
    "hard_disk_quota": "-1",
}  # fmt: skip
SALES = {
    "mailname": "sales@example.test", "mailbox": "true", "mailbox_quota": "52428800", "redirect": "false",
    "mail_group": "false", "autoresponders": "false",
}  # fmt: skip
NO_LIMITS = {
    f"maximum_{name}": "-1"
    for name in (
        "disk_space", "traffic", "webusers", "databases", "mailboxes", "mailbox_quota", "mail_redirects", "mail_groups",
        "mail_autoresponders", "mail_lists",
    )
}  # fmt: skip
LIMIT = "<limits><limit><name>disk_space</name><value>1048576</value></limit></limits>"
REACHED = {"domain_name": "empty.test", "maximum_disk_space": "1048576", "maximum_traffic": "1048576"}
SMTP = {"service": "SMTP Server (Postfix)"}
FORWARDED = {
    "domain_name": "empty.test", "ip_address": "192.0.2.10", "forwarding_type": "std_fwd", "url": "http://a.example/",
}  # fmt: skip

ADD_INES = """<customer><add><gen_info><cname>Harbour &amp; Co</cname><pname>Ines "O'Duya" $(reboot)</pname>
  <login>ines</login><passwd>s3cret-Loaf</passwd><phone>+351 1</phone><fax>+351 2</fax><email>ines@example.org</email>
  <address>Cais 1</address><city>Porto</city><state>Norte</state><pcode>4000</pcode><country>PT</country>
</gen_info></add></customer>"""
ADD_ADDRESS = """<ip><add><ip_address>192.0.2.11</ip_address><netmask>255.255.255.0</netmask><type>shared</type>
  <interface>lo</interface></add></ip>"""
ADD_SALES = """<mail><create><filter><site-id>7</site-id><mailname><name>sales</name>
  <mailbox><enabled>true</enabled><quota>52428800</quota></mailbox>
  <password><value>Kx4!paper-Moon</value><type>plain</type></password></mailname></filter></create></mail>"""
BLOG = {"subdomain_name": "blog", "domain_name": "example.test", "system_user_type": "main"}
ADD_SUBDOMAIN = """<site><add><gen_setup><name>blog</name><webspace-id>7</webspace-id>
  <parent-site-id>7</parent-site-id></gen_setup></add></site>"""


def alice(values: str) -> str:
    """A change of a customer."""
    filter_ = "<filter><login>alice</login></filter>"
    return f"<customer><set>{filter_}<values><gen_info>{values}</gen_info></values></set></customer>"


def webspace(values: str) -> str:
    """A change of an empty webspace."""
    return f"<webspace><set><filter><id>8</id></filter><values>{values}</values></set></webspace>"


def hosting(properties: Mapping[str, str]) -> str:
    """Virtual hosting on it."""
    listed = "".join(
        f"<property><name>{name}</name><value>{text}</value></property>" for name, text in properties.items()
    )
    return webspace(f"<hosting><vrt_hst>{listed}<ip_address>192.0.2.10</ip_address></vrt_hst></hosting>")


def forwarding(kind: str, url: str) -> str:
    """Forwarding on it."""
    address = "<ip_address>192.0.2.10</ip_address>"
    return webspace(f"<hosting><{kind}><dest_url>{url}</dest_url>{address}</{kind}></hosting>")


def control(action: str) -> str:
    """A service's control."""
    return f"<server><srv_man><id>smtp</id><operation>{action}</operation></srv_man></server>"


@dataclass(frozen=True)
class Example:
    """Packets that lead there, the one whose event is looked at, and what the event holds."""

    packet: str
    object_id: int | None = None
    old: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)
    before: str = ""


SERVICES = {
    "ssi_support": "false", "php_support": "true", "cgi_support": "false", "perl_support": "false",
    "python_support": "false", "coldfusion_support": "false", "asp_support": "false",
}  # fmt: skip
PETR = {"domain_name": "empty.test", "webuser_name": "petr", "hard_disk_quota": "5", **SERVICES}
ADD_PETR = """<webuser><add><site-id>8</site-id><login>petr</login><password>Kx4!paper-Moon</password>
  <ftp-quota>5</ftp-quota><services><service><name>php</name><value>true</value></service></services></add></webuser>"""
TEAM = {
    "domain_name": "empty.test", "system_user": "team", "hard_disk_quota": "5", "home_directory": "/httpdocs",
    "read_permission": "true", "write_permission": "false",
}  # fmt: skip
ADD_TEAM = """<ftp-user><add><name>team</name><password>Kx4!paper-Moon</password><home>/httpdocs</home><quota>5</quota>
  <permissions><write>false</write></permissions><webspace-id>8</webspace-id></add></ftp-user>"""
HOSTING = {"ftp_login": "kim", "ftp_password": "Kx4!paper-Moon"}
EXAMPLES: dict[str, Example] = {
    "admin_update": Example(
        """<server><set><admin><admin_cname>Host</admin_cname><admin_pname>Ada</admin_pname><admin_phone>1</admin_phone>
        <admin_fax>2</admin_fax><admin_email>ada@example.test</admin_email><admin_address>A</admin_address>
        <admin_city>B</admin_city><admin_state>C</admin_state><admin_pcode>D</admin_pcode>
        <admin_country>GB</admin_country></admin></set></server>""",
        1,
        {"login_name": "admin", "contact_name": "Admin", "email": "admin@example.test"},
        ADA,
    ),
    "service_stop": Example(control("stop"), 2, SMTP, SMTP),
    "service_start": Example(control("start"), 2, SMTP, SMTP),
    "service_restart": Example(control("restart"), 2, SMTP, SMTP),
    "session_preferences_update": Example(
        "<server><set><session_setup><login_timeout>15</login_timeout></session_setup></set></server>",
        0,
        {"session_idle_time": "30"},
        {"session_idle_time": "15"},
    ),
    "ip_address_create": Example(ADD_ADDRESS, new=SECOND_ADDRESS),
    "ip_address_update": Example(
        "<ip><set><filter><ip_address>192.0.2.11</ip_address></filter><type>exclusive</type></set></ip>",
        old=SECOND_ADDRESS,
        new=SECOND_ADDRESS | {"ip_type": "exclusive"},
        before=ADD_ADDRESS,
    ),
    "ip_address_delete": Example(
        "<ip><del><filter><ip_address>192.0.2.11</ip_address></filter></del></ip>",
        old={"ip_address": "192.0.2.11"},
        before=ADD_ADDRESS,
    ),
    "client_create": Example(ADD_INES, new=INES),
    "client_update": Example(
        alice("<pname>Alicia</pname><login>alicia</login><passwd>n3w-Loafs</passwd><city>Ulm</city>"),
        3,
        ALICE,
        ALICE | {"login_name": "alicia", "contact_name": "Alicia", "city": "Ulm"},
    ),
    "client_delete": Example(
        "<customer><del><filter><login>ines</login></filter></del></customer>", old=INES, before=ADD_INES
    ),
    "client_status_update": Example(
        alice("<status>16</status>"),
        3,
        {"login_name": "alice", "contact_name": "Alice", "status": "0"},
        {"login_name": "alice", "contact_name": "Alice", "status": "16"},
    ),
    "client_guid": Example(
        alice("<guid/>"),
        3,
        {"login_name": "alice", "guid": packet_world.ALICE_GUID},
        {"login_name": "alice", "guid": "?"},
    ),
    "client_preferences_update": Example(
        alice("<locale>pt-PT</locale>"),
        3,
        PREFERENCES | {"interface_language": "en"},
        PREFERENCES | {"interface_language": "pt-PT"},
    ),
    "domain_create": Example(
        "<webspace><add><gen_setup><name>new.test</name><owner-id>3</owner-id>"
        "<ip_address>192.0.2.10</ip_address></gen_setup></add></webspace>",
        new={"domain_name": "new.test"},
    ),
    "domain_update": Example(
        "<site><set><filter><id>8</id></filter><values><gen_setup><name>müller2.test</name></gen_setup></values></set></site>",
        8,
        {"domain_name": "empty.test"},
        {"domain_name": "müller2.test"},
    ),
    "domain_delete": Example(
        "<webspace><del><filter><id>11</id></filter></del></webspace>", 11, old={"domain_name": "müller.test"}
    ),
    "domain_status_update": Example(
        webspace("<gen_setup><status>16</status></gen_setup>"),
        8,
        {"domain_name": "empty.test", "status": "0"},
        {"domain_name": "empty.test", "status": "16"},
    ),
    "domain_guid": Example(
        webspace("<gen_setup><guid/></gen_setup>"),
        8,
        {"domain_name": "empty.test", "guid": "00000000-0000-4000-9000-000000000008"},
        {"domain_name": "empty.test", "guid": "?"},
    ),
    "domain_limits_update": Example(
        webspace(
            "<limits><limit><name>max_box</name><value>5</value></limit><limit><name>disk_space</name>"
            "<value>1048576</value></limit><limit><name>expiration</name><value>1924905600</value></limit></limits>"
        ),
        8,
        NO_LIMITS | {"domain_name": "empty.test"},
        NO_LIMITS
        | {
            "domain_name": "empty.test",
            "maximum_mailboxes": "5",
            "maximum_disk_space": "1048576",
            "expiration_date": "2030-12-31",
        },
    ),
    "domain_limit_size_reached": Example("count use", 8, REACHED, REACHED, before=webspace(LIMIT)),
    "subdomain_create": Example(ADD_SUBDOMAIN, new=FALSE | BLOG),
    "subdomain_update": Example(
        "<site><set><filter><name>blog.example.test</name></filter><values><gen_setup><name>news.example.test</name>"
        "</gen_setup></values></set></site>",
        old=FALSE | BLOG,
        new=FALSE | BLOG | {"subdomain_name": "news"},
        before=ADD_SUBDOMAIN,
    ),
    "subdomain_delete": Example(
        "<site><del><filter><name>blog.example.test</name></filter></del></site>",
        old=FALSE | BLOG,
        before=ADD_SUBDOMAIN,
    ),
    "cp_user_login": Example("log in", 1, {"contact_name": "Administrator"}, {"contact_name": "Administrator"}),
    "cp_user_logout": Example("log out", 1, {"contact_name": "Administrator"}, {"contact_name": "Administrator"}),
    "mailname_create": Example(ADD_SALES, new={"mailname": "sales@example.test"}),
    "mailname_update": Example(
        "<mail><update><set><filter><site-id>7</site-id><mailname><name>sales</name><mailbox><enabled>true</enabled>"
        "<quota>-1</quota></mailbox><forwarding><enabled>true</enabled><address>crm@example.net</address></forwarding>"
        "<password><value>Mz7!other-Moon</value><type>plain</type></password></mailname></filter></set></update></mail>",
        old=SALES,
        new=SALES | {"mailbox_quota": "-1", "redirect": "true", "redirect_address": "crm@example.net"},
        before=ADD_SALES,
    ),
    "mailname_delete": Example(
        "<mail><remove><filter><site-id>7</site-id><name>sales</name></filter></remove></mail>",
        old={"mailname": "sales@example.test"},
        before=ADD_SALES,
    ),
    "phys_hosting_create": Example(hosting(HOSTING), 8, new=HOSTED),
    "phys_hosting_update": Example(
        hosting({"php": "true", "ftp_quota": "1048576", "shell": "/bin/bash"}),
        8,
        HOSTED,
        HOSTED | {"php_support": "true", "hard_disk_quota": "1048576", "system_shell": "/bin/bash"},
        before=hosting(HOSTING),
    ),
    "phys_hosting_delete": Example(
        webspace("<hosting><none/></hosting>"),
        8,
        old={"domain_name": "empty.test", "system_user": "kim"},
        before=hosting(HOSTING),
    ),
    "forwarding_create": Example(forwarding("std_fwd", "http://a.example/"), 8, new=FORWARDED),
    "forwarding_update": Example(
        forwarding("frm_fwd", "http://b.example/"),
        8,
        FORWARDED,
        FORWARDED | {"forwarding_type": "frm_fwd", "url": "http://b.example/"},
        before=forwarding("std_fwd", "http://a.example/"),
    ),
    "forwarding_delete": Example(
        "<webspace><del><filter><id>8</id></filter></del></webspace>",
        8,
        old={"domain_name": "empty.test", "forwarding_type": "std_fwd"},
        before=forwarding("std_fwd", "http://a.example/"),
    ),
    "webuser_create": Example(ADD_PETR, new=PETR, before=hosting(HOSTING)),
    "webuser_update": Example(
        "<webuser><set><filter><login>petr</login></filter><values><ftp-quota>-1</ftp-quota></values></set></webuser>",
        old=PETR,
        new=PETR | {"hard_disk_quota": "-1"},
        before=hosting(HOSTING) + ADD_PETR,
    ),
    "webuser_delete": Example(
        "<webuser><del><filter><login>petr</login></filter></del></webuser>",
        old={"domain_name": "empty.test", "webuser_name": "petr"},
        before=hosting(HOSTING) + ADD_PETR,
    ),
    "ftpuser_create": Example(ADD_TEAM, new=TEAM, before=hosting(HOSTING)),
    "ftpuser_update": Example(
        "<ftp-user><set><filter><name>team</name></filter><values><name>crew</name></values></set></ftp-user>",
        old=TEAM,
        new=TEAM | {"system_user": "crew"},
        before=hosting(HOSTING) + ADD_TEAM,
    ),
    "ftpuser_delete": Example(
        "<ftp-user><del><filter><name>team</name></filter></del></ftp-user>",
        old={"domain_name": "empty.test", "system_user": "team"},
        before=hosting(HOSTING) + ADD_TEAM,
    ),
}


@pytest.fixture(autouse=True)
def null_hostd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("innkeeper.upkeep.services.services", NullHostd)


def send(packet: str) -> None:
    """Run operations as the administrator; all of them succeed."""
    if not packet:
        return
    visitor = Actor(ActorKind.ADMINISTRATOR, 1, "admin", "127.0.0.1", Door.PANEL)
    if packet == "log in":
        record_login(visitor, "Administrator")
    elif packet == "log out":
        record_logout(visitor, "Administrator")
    elif packet == "count use":
        Site.objects.filter(pk=8).update(used_bytes=2**20)
        tell_reached_limits(visitor)
    else:
        body = f'<packet version="1.6.9.0">{packet}</packet>'.encode()
        _, _, content = request(body, {"KEY": "admin-key"})
        assert b"<status>ok</status>" in content, content.decode()
        assert b"<status>error</status>" not in content, content.decode()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_operation_raises_its_event_with_the_documented_values(name: str) -> None:
    example = EXAMPLES[name]
    send(example.before)
    OutboxEvent.objects.all().delete()
    send(example.packet)
    row = OutboxEvent.objects.get(event=name)
    assert (row.object_type, row.login, row.address) == (EVENTS[name].object_type, "admin", "127.0.0.1")
    assert example.object_id in (None, row.object_id)
    follows_the_catalogue(row)
    values = json.loads(row.parameters)
    for side, expected in (("old", example.old), ("new", example.new)):
        found = {key[4:]: value for key, value in values.items() if key.startswith(side) and value}
        unknown = {key: "?" for key, value in expected.items() if value == "?" and found.get(key)}
        assert found | unknown == dict(expected), side
    for parameter in EVENTS[name].parameters:
        assert not parameter.secret or not values[f"new_{parameter.name}"]


def test_every_event_that_is_raised_has_an_example() -> None:
    assert set(EXAMPLES) == {event.name for event in EVENTS.values() if event.is_raised}


@pytest.mark.parametrize(
    ("name", "passwords"),
    [
        ("client_create", {"new_password": "s3cret-Loaf"}),
        ("client_update", {"new_password": "n3w-Loafs"}),
        ("mailname_update", {"new_password": "Mz7!other-Moon"}),
        ("phys_hosting_create", {"new_system_user_password": "Kx4!paper-Moon"}),
        ("webuser_create", {"new_webuser_password": "Kx4!paper-Moon"}),
        ("ftpuser_create", {"new_system_user_password": "Kx4!paper-Moon"}),
    ],
)
def test_a_new_password_is_kept_sealed_where_a_handler_is_to_get_it(name: str, passwords: dict[str, str]) -> None:
    SecretEvent.objects.create(event=name)
    send(EXAMPLES[name].before)
    send(EXAMPLES[name].packet)
    row = OutboxEvent.objects.filter(event=name).latest("pk")
    assert row.sealed is not None
    assert json.loads(unseal(row.sealed)) == passwords


def test_none_is_kept_where_no_handler_is_to_get_it() -> None:
    for name in ("mailname_update", "phys_hosting_create"):
        send(EXAMPLES[name].before)
        send(EXAMPLES[name].packet)
    assert not OutboxEvent.objects.filter(sealed__isnull=False).exists()
