"""Nothing that the protocol names is forgotten: the lists in `elements/` come from its schema text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from innkeeper.doors.xmlapi import reference, schema
from innkeeper.doors.xmlapi.operators import handlers
from innkeeper.doors.xmlapi.versions import Dialect, resolve

HERE = Path(__file__).parent
PACKETS = HERE.parents[1] / "packets"
LISTS = {folder: (HERE / "elements" / f"{folder}.txt").read_text().split() for folder in ("requests", "answers")}
OPERATORS = sorted(schema.NEW_TYPES)

# Elements that answers may carry by schema and ours never do: each pattern covers what lies below, too.
WITHHELD = {
    r"mail/get_info/result/mailname/password/(value|type)": "passwords are never returned",
    r"customer/get/result/data/gen_info/password(_type)?": "passwords are never returned",
    r"server/get/result/prefs/smtp_password": "passwords are never returned",
    r"mail/get_info/result/mailname/autoresponder/attachment/tmp-name": "a handle works once",
    r"(mail/get_prefs/result/prefs|webspace/get/result/data/mail)/none": "every site can have mail",
    r"(mail/get_prefs/result/prefs|webspace/get/result/data/mail)/ip_address": "internal to another product",
    r"(mail/get_prefs/result/prefs|webspace/get/result/data/mail)/webmail-certificate": "there are no certificates yet",
    r"(mail/get_prefs/result/prefs|webspace/get/result/data/mail)/mail-provider": "internal to another product",
    r"mail/get-available-mail-providers/result/mail-provider/aps": "mail is served by the server itself",
    r"mail/get-available-mail-providers/result/err": "it cannot fail",
    r"server/get_protos/result/err": "it cannot fail",
    r"server/get/result/admin/(uid|global-login)": "another product's log-in service",
    r"server/get/result/certificates/(panel|mail-server)": "there are no certificates yet",
    r"server/get/result/gen_info/vps-optimized-status": "another product's virtual servers",
    r"server/get/result/stat/version/veid": "another product's virtual servers",
    r"server/get/result/key/additional-key": "there are no additional keys",
    r"(customer|server)/.*/domain/domain-id": "there are no domain aliases yet",
    r"server/get/result/admin-domain-list/domain/parent-id": "shown by customer/get-domain-list",
    r"(site|webspace)/.*/descriptor/bind": "no property depends on another",
    r"(site|webspace)/.*/descriptor/property/(enum/(hint|label)|hint)": "the property's label says it",
    r"webspace/get-(limit|permission)-descriptor/result/descriptor/property/enum": "numbers and booleans",
    r"(site|webspace)/get/result/data/disk_usage/(mysql|mssql)_dbases": "Windows",
    r"(site|webspace)/get/result/data/gen_info/sb-site-uuid": "another product's site builder",
    r"(site|webspace)/get/result/data/prefs/icp-": "licences that this server does not keep",
    r"subdomain/get/result/data/home": "Windows",
    r"(site|webspace)/get_traffic/result/traffic": "no traffic is counted yet",
    r"site/get/result/data/prefs/outgoing-messages-domain-limit": "it belongs to the webspace",
    r"webspace/get/result/data/limits/all-to-zero": "an order, not a state",
    r"webspace/get/result/data/permissions/revoke-all": "an order, not a state",
    r"webspace/get/result/data/mail/outgoing-messages-(enable|mbox|overlimit|subscription)": "limits of the server",
    r"webspace/get/result/data/(packages/package|plan-items/item)": "there are none yet",
    r"webspace/get/result/data/resource-usage/counter": "nothing is counted that has no limit",
    r"webspace/get/result/data/subscriptions/subscription": "there are no service plans yet",
}
UNUSED = re.compile("|".join(f"(?:{pattern})" for pattern in WITHHELD))


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("folder", ["requests", "answers"])
def test_every_element_of_the_protocol_is_described(folder: str, operator: str) -> None:
    described = {
        "/".join((operator, *element.path)) for element in reference.elements(folder, schema.NEW_TYPES[operator])
    }
    wanted = {path for path in LISTS[folder] if path.split("/")[0] == operator}
    assert wanted
    assert wanted - described == set()


@cache
def used(suffix: str, dialect: Dialect) -> set[str]:
    """Every path of elements below `packet` in the pairs' requests or answers."""
    found: set[str] = set()
    for path in PACKETS.glob("*/*.xml"):
        if path.name.endswith(".answer.xml") is not (suffix == "answers"):
            continue
        root = etree.fromstring(path.read_bytes())
        if resolve(root.get("version")).dialect is not dialect:
            continue
        for element in root.iterdescendants(etree.Element):
            above = [str(each.tag) for each in element.iterancestors()]
            found.add("/".join([*reversed(above[:-1]), str(element.tag)]))
    return found


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("folder", ["requests", "answers"])
def test_every_element_of_a_served_operation_is_in_a_packet_pair(folder: str, operator: str) -> None:
    served = handlers()[Dialect.NEW, operator]
    wanted = {
        path for path in LISTS[folder]
        if path.startswith(f"{operator}/") and path.split("/")[1] in served
        and not (folder == "answers" and UNUSED.match(path))
    }  # fmt: skip
    assert wanted - used(folder, Dialect.NEW) == set()


@pytest.mark.parametrize("folder", ["requests", "answers"])
def test_every_element_of_old_mail_is_in_a_packet_pair(folder: str) -> None:
    wanted = set((HERE / "elements" / f"old-mail-{folder}.txt").read_text().split())
    assert wanted - used(folder, Dialect.OLD) == set()


def test_the_page_of_the_protocol_names_every_operator() -> None:
    page = reference.page()
    for operator in schema.NEW_OPERATORS + schema.GONE_IN_1_6_9_1 + schema.OLD_OPERATORS:
        assert re.search(rf"`{re.escape(operator)}`", page), operator


def test_the_page_in_docs_is_the_generated_one() -> None:
    written = (HERE.parents[2] / "docs" / "xml-api.md").read_text()
    assert written == reference.page(), "run: python -m innkeeper.doors.xmlapi.reference > docs/xml-api.md"
