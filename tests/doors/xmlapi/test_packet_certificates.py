"""The certificate of a site's webmail is told to those versions of the protocol that know of it, once there is one."""

from __future__ import annotations

import pytest
from lxml import etree
from packet_client import request

from innkeeper.mail.models import MailService

pytestmark = pytest.mark.usefixtures("world")

PREFERENCES = "<mail><get_prefs><filter><site-id>7</site-id></filter></get_prefs></mail>"
WEBSPACE = "<webspace><get><filter><id>7</id></filter><dataset><mail/></dataset></get></webspace>"


@pytest.mark.parametrize(
    ("version", "operator", "told"),
    [
        ("1.6.7.0", PREFERENCES, None),
        ("1.6.8.0", PREFERENCES, "harbour"),
        ("1.6.9.1", PREFERENCES, "harbour"),
        ("1.6.9.1", WEBSPACE, "harbour"),
    ],
)
def test_a_certificate_is_told_by_its_name(version: str, operator: str, told: str | None) -> None:
    MailService.objects.filter(site_id=7).update(webmail_certificate="harbour")
    _, _, content = request(f'<packet version="{version}">{operator}</packet>'.encode(), {"KEY": "admin-key"})
    answer = etree.fromstring(content)
    assert (answer.findtext(".//status"), answer.findtext(".//webmail-certificate")) == ("ok", told)


def test_where_there_is_none_nothing_is_told() -> None:
    for operator in (PREFERENCES, WEBSPACE):
        _, _, content = request(f"<packet>{operator}</packet>".encode(), {"KEY": "admin-key"})
        answer = etree.fromstring(content)
        assert (answer.findtext(".//status"), answer.find(".//webmail-certificate")) == ("ok", None)
