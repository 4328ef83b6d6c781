"""Does the main job once, as a client would: from an XML packet over HTTPS to a message that is read by IMAP."""

from __future__ import annotations

import contextlib
import http.client
import imaplib
import secrets
import smtplib
import ssl
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from xml.sax.saxutils import escape

from innkeeper.instance.config import Instance, InstanceError, read_secret
from innkeeper.instance.report import Report

PATH = "/enterprise/control/agent.php"
VERSION = "1.6.9.1"
SITE = "example.test"
LOGIN = "demo"
ACCOUNT = "hello"
DELIVERY_TIMEOUT_S = 20
EXISTS = "1007"


class ExistsError(InstanceError):
    """An object of that name is there already."""


def run(instance: Instance, report: Report) -> list[dict[str, Any]]:
    """All steps, each with its time. Raises InstanceError when one of them fails."""
    steps: list[dict[str, Any]] = []

    def step(text: str, action: Callable[[], str]) -> str:
        begun = time.monotonic()
        value = action()
        seconds = round(time.monotonic() - begun, 3)
        steps.append({"step": text, "seconds": seconds})
        report.step(f"demonstration: {text}", seconds)
        return value

    api = XMLClient(instance)
    password = secrets.token_urlsafe(12)
    mark = secrets.token_hex(8)
    customer = step(f"customer {LOGIN}", lambda: api.make(_customer(), _find("customer", "login", LOGIN)))
    site = step(f"webspace and site {SITE}", lambda: api.make(_webspace(customer), _find("webspace", "name", SITE)))
    step(f"mail account {ACCOUNT}@{SITE}", lambda: api.make(_account(site, password), _password(site, password)))
    step("message taken by SMTP", lambda: _send(instance, mark))
    step("message read by IMAP", lambda: _read(instance, password, mark))
    return steps


class XMLClient:
    """Sends packets to the instance's own endpoint as its administrator."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._context = ssl.create_default_context(cafile=str(instance.certificate))

    def make(self, body: str, otherwise: str) -> str:
        """Make an object; if a demonstration before was cut short after it, do the other thing with what it made."""
        try:
            return self.call(body)
        except ExistsError:
            return self.call(otherwise)

    def call(self, body: str) -> str:
        """Run one operation; the id in its result. Raises InstanceError with the error's text."""
        instance = self._instance
        connection = http.client.HTTPSConnection(instance.host, instance.ports.panel, timeout=30, context=self._context)
        headers = {
            "Content-Type": "text/xml",
            "HTTP_AUTH_LOGIN": "admin",
            "HTTP_AUTH_PASSWD": read_secret(instance.secrets / "admin-password"),
        }
        packet = f'<?xml version="1.0" encoding="UTF-8"?><packet version="{VERSION}">{body}</packet>'
        with contextlib.closing(connection):
            connection.request("POST", PATH, packet.encode(), headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != http.client.OK:
            raise InstanceError(f"The demonstration failed: {PATH} answered {answer.status} {answer.reason}.")
        result = ET.fromstring(text)  # noqa: S314 - the panel's own answer
        error = result.find(".//errtext")
        if error is not None:
            code = result.findtext(".//errcode")
            if code == EXISTS:
                raise ExistsError(f"{error.text}")
            raise InstanceError(f"The demonstration failed: {error.text} (error {code}).")
        return result.findtext(".//id") or ""


def _customer() -> str:
    password = secrets.token_urlsafe(12) + "-9aZ"
    return (
        "<customer><add><gen_info><cname>Innkeeper</cname><pname>Demonstration</pname>"
        f"<login>{LOGIN}</login><passwd>{escape(password)}</passwd></gen_info></add></customer>"
    )


def _webspace(customer: str) -> str:
    setup = f"<name>{SITE}</name><owner-id>{customer}</owner-id><htype>none</htype>"
    return f"<webspace><add><gen_setup>{setup}</gen_setup></add></webspace>"


def _find(operator: str, key: str, value: str) -> str:
    return f"<{operator}><get><filter><{key}>{value}</{key}></filter><dataset><gen_info/></dataset></get></{operator}>"


def _account(site: str, password: str) -> str:
    return (
        f"<mail><create><filter><site-id>{site}</site-id><mailname><name>{ACCOUNT}</name>"
        "<mailbox><enabled>true</enabled></mailbox>"
        f"<password><value>{escape(password)}</value><type>plain</type></password>"
        "</mailname></filter></create></mail>"
    )


def _password(site: str, password: str) -> str:
    return (
        f"<mail><update><set><filter><site-id>{site}</site-id><mailname><name>{ACCOUNT}</name>"
        "<mailbox><enabled>true</enabled></mailbox>"
        f"<password><value>{escape(password)}</value><type>plain</type></password>"
        "</mailname></filter></set></update></mail>"
    )


def _send(instance: Instance, mark: str) -> str:
    message = EmailMessage()
    message["From"] = "innkeeper@outside.test"
    message["To"] = f"{ACCOUNT}@{SITE}"
    message["Subject"] = "It works"
    message["Message-ID"] = f"<{mark}@outside.test>"
    message.set_content("From an XML packet to a message in a real inbox.\n")
    try:
        with smtplib.SMTP(instance.host, instance.ports.smtp, timeout=30) as smtp:
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise InstanceError(f"The demonstration failed: the message was not taken: {error}") from None
    return ""


def _read(instance: Instance, password: str, mark: str) -> str:
    context = ssl.create_default_context(cafile=str(instance.certificate))
    deadline = time.monotonic() + DELIVERY_TIMEOUT_S
    try:
        with imaplib.IMAP4(instance.host, instance.ports.imap, timeout=30) as imap:
            imap.starttls(context)
            imap.login(f"{ACCOUNT}@{SITE}", password)
            while time.monotonic() < deadline:
                imap.select("INBOX", readonly=True)
                _, found = imap.search(None, "HEADER", "Message-ID", mark)
                if found[0]:
                    _, parts = imap.fetch(found[0].split()[-1].decode(), "(RFC822)")
                    return str(len(parts))
                time.sleep(0.02)
    except (OSError, imaplib.IMAP4.error) as error:
        raise InstanceError(f"The demonstration failed: the inbox cannot be read: {error}") from None
    raise InstanceError(
        f"The demonstration failed: the message did not arrive in {DELIVERY_TIMEOUT_S} s"
        f" (see {instance.log_dir}/postfix.log and dovecot.log)."
    )
