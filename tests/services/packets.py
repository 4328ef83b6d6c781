"""Packets over HTTPS, as an integrator's program sends them."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element as Element

AGENT = "/enterprise/control/agent.php"
NEW = "1.6.9.1"
OLD = "1.6.0.2"


def unverified() -> ssl.SSLContext:
    """A client context for the instance's self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class PacketRefused(Exception):
    """An answer with an error in it."""

    def __init__(self, result: Element) -> None:
        self.code = int(result.findtext("errcode") or 0)
        self.text = result.findtext("errtext") or ""
        super().__init__(f"{self.code}: {self.text}")


@dataclass(frozen=True)
class Panel:
    """The panel's packet endpoint, asked as one user."""

    port: int
    login: str
    password: str

    def post(self, document: str, timeout: float = 60) -> bytes:
        """Send one document; the answer's body."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=unverified())
        try:
            headers = {"HTTP_AUTH_LOGIN": self.login, "HTTP_AUTH_PASSWD": self.password, "Content-Type": "text/xml"}
            connection.request("POST", AGENT, document.encode(), headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (answer.status, body[:500])
            return body
        finally:
            connection.close()

    def packet(self, operations: str, version: str = NEW, timeout: float = 60) -> Element:
        """Send operators in a packet; the answered packet. A `system` error is raised."""
        answer = etree.fromstring(
            self.post(
                f'<?xml version="1.0" encoding="UTF-8"?><packet version="{version}">{operations}</packet>', timeout
            )
        )
        if (system := answer.find("system")) is not None:
            raise PacketRefused(system)
        return answer

    def results(self, operations: str, version: str = NEW) -> list[Element]:
        """The `result` elements of the answer, in order; the first error is raised."""
        found = list(self.packet(operations, version).iter("result"))
        assert found, operations
        for result in found:
            if result.findtext("status") != "ok":
                raise PacketRefused(result)
        return found

    def result(self, operations: str, version: str = NEW) -> Element:
        """The one result of a packet with one operation on one object."""
        (found,) = self.results(operations, version)
        return found
