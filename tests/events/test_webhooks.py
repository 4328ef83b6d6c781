"""Webhooks, received and verified by a server of the standard library that shares no code with the sender."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from delivering import EVENT, Runs, handler, later, raised, states

from innkeeper.core.sealing import seal
from innkeeper.events import deliver, webhook
from innkeeper.events.models import Attempt

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@dataclass
class Receiver:
    """What came, and how the next requests are answered."""

    port: int = 0
    certificate: Path = Path()
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    slow: Callable[[Any], None] | None = None

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hook?from=panel"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("rebind.example")]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if found.slow:
                found.slow(self)
                return
            status, headers, text = found.answers.pop(0) if found.answers else (204, {}, b"")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    found.certificate, key = _certificate(tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found.certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(webhook, "default_context", lambda: found.context)
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def verified(headers: dict[str, str], body: bytes) -> bool:
    """What the documentation tells a receiver to do."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return (
        abs(time.time() - int(headers["webhook-timestamp"])) < 300
        and hmac.compare_digest(expected, headers["webhook-signature"])
    )  # fmt: skip


def request(receiver: Receiver, **more: Any) -> webhook.Request:
    plain = {"url": receiver.url, "id": "7", "body": b'{"a": 1}', "secret": SECRET, "timeout_s": 60.0}
    return webhook.Request(**(plain | {"allow_private": True} | more))


def test_a_request_is_signed_and_its_answer_kept(receiver: Receiver) -> None:
    receiver.answers = [(202, {}, b"taken\0\xff" + b"x" * 100)]
    answer = webhook.send(request(receiver, most_bytes=8))
    assert (answer.status, answer.text) == (202, "taken\ufffd\ufffdx")
    [(headers, body)] = receiver.requests
    assert verified(headers, body) and not verified(headers, body + b" ")
    assert not verified(headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body)
    assert headers["content-type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "localhost", "0.0.0.0", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254",
     "100.64.0.1", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
     "224.0.0.1", "2130706433", "0x7f000001", "127.1", "[fec0::1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
     "[64:ff9b:1::7f00:1]", "[5f00::1]"],
)  # fmt: skip
def test_a_private_address_in_any_form_is_refused_unless_it_is_allowed(receiver: Receiver, host: str) -> None:
    url = f"https://{host}:{receiver.port}/"
    with pytest.raises(webhook.NotSentError, match="private address"):
        webhook.send(request(receiver, url=url, allow_private=False))
    assert not receiver.requests


def test_public_addresses_are_none_of_these() -> None:
    assert not any(map(webhook.is_private, ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"]))


def test_a_name_that_changes_to_a_private_address_leads_nowhere(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first answer is checked and used; there is no second look."""
    real, asked, connected = socket.getaddrinfo, [], []

    def rebinding(host: str, port: int, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return real("192.0.2.1" if len(asked) % 2 else "127.0.0.1", port, *rest, **more)

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            connected.append(address[0])
            raise ConnectionRefusedError("nobody is there")

    monkeypatch.setattr(webhook, "is_private", lambda address: address != "192.0.2.1")  # a public one, for the test
    monkeypatch.setattr(webhook.socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(webhook.socket, "socket", Watched)
    url = f"https://rebind.example:{receiver.port}/"
    with pytest.raises(webhook.NotSentError, match="cannot be reached"):
        webhook.send(request(receiver, url=url, allow_private=False))
    assert (asked, connected) == (["rebind.example"], ["192.0.2.1"])
    with pytest.raises(webhook.NotSentError, match="private address 127"):
        webhook.send(request(receiver, url=url, allow_private=False))
    assert connected == ["192.0.2.1"] and not receiver.requests


def test_a_look_up_that_does_not_end_holds_nobody(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(webhook.socket, "getaddrinfo", lambda *_, **__: end.wait(20) and [])
    monkeypatch.setattr(webhook, "_look_ups", threading.BoundedSemaphore(1))
    with pytest.raises(webhook.NotSentError, match="was not resolved within"):
        webhook.send(request(receiver, timeout_s=0.2))
    monkeypatch.setattr(webhook, "RESOLVE_S", 0.1)
    with pytest.raises(webhook.NotSentError, match="too many look-ups"):
        webhook.send(request(receiver))
    end.set()
    assert webhook._look_ups.acquire(timeout=20), "a look-up that ended makes room"


def test_a_look_up_that_gets_no_thread_leaves_its_place(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(webhook, "_look_ups", threading.BoundedSemaphore(1))
    with monkeypatch.context() as patch:
        patch.setattr(webhook.threading.Thread, "start", refused)
        for _ in range(2):
            with pytest.raises(webhook.NotSentError, match="can't start"):
                webhook.send(request(receiver))
    assert webhook.send(request(receiver)).status == 204


def test_of_several_addresses_only_public_ones_are_tried(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "is_private", lambda address: address == "127.0.0.2")
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", receiver.port)) for n in (2, 1)]
    monkeypatch.setattr(webhook.socket, "getaddrinfo", lambda *_, **__: rows)
    assert webhook.send(request(receiver, allow_private=False)).status == 204


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.answers = [(302, {"Location": f"https://localhost:{receiver.port}/elsewhere"}, b"")]
    assert webhook.send(request(receiver)).status == 302
    assert len(receiver.requests) == 1


def test_a_certificate_must_be_trusted_and_of_that_name(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(webhook.NotSentError, match="not trusted"):
        webhook.send(request(receiver, url=f"https://127.0.0.1:{receiver.port}/"))
    monkeypatch.setattr(webhook, "default_context", ssl.create_default_context)
    with pytest.raises(webhook.NotSentError, match="not trusted"):
        webhook.send(request(receiver))
    assert not receiver.requests


@pytest.mark.parametrize("url", ["http://localhost:{port}/", "ftp://localhost/", "localhost"])
def test_nothing_but_https_is_sent(receiver: Receiver, url: str) -> None:
    with pytest.raises(webhook.NotSentError, match="none of https"):
        webhook.send(request(receiver, url=url.format(port=receiver.port)))


def test_a_receiver_that_never_comes_to_an_end_is_cut_off(receiver: Receiver) -> None:
    stop = threading.Event()

    def drip(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not stop.wait(0.02):
            try:
                handler.wfile.write(b"X-More: yes\r\n")
            except OSError:
                return

    receiver.slow = drip
    with pytest.raises(webhook.NotSentError, match=r"did not answer within 1 s|broke the connection off"):
        webhook.send(request(receiver, timeout_s=1))
    stop.set()


def test_a_port_where_nobody_listens_and_a_name_of_nobody_are_told_apart(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(webhook.NotSentError, match="cannot be reached"):
            webhook.send(request(receiver, url=f"https://localhost:{unused.getsockname()[1]}/"))

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(webhook.socket, "getaddrinfo", unknown)
    with pytest.raises(webhook.NotSentError, match="cannot be resolved"):
        webhook.send(request(receiver, url="https://nobody.invalid/"))


@pytest.mark.django_db
@pytest.mark.usefixtures("closed_loops")
def test_an_event_arrives_after_failures_with_the_same_id_as_a_cloud_event(receiver: Receiver) -> None:
    one = handler(kind="webhook", url=receiver.url, sealed_secret=seal(SECRET), allow_private=True, command="", user="")
    receiver.answers = [(500, {}, b"down"), (503, {"Retry-After": "77"}, b""), (302, {"Location": "/"}, b"")]
    values = {"new_login_name": "ines", "new_contact_name": 'Ines "$(id)" Sommér\n'}
    raised(5, parameters=json.dumps(values))
    runs = Runs()
    runs.loop.pool._attempts = lambda claims: deliver.attempts(claims, None)  # type: ignore[arg-type]
    for _ in range(4):
        runs.settle()
        later()
    assert states() == {"done": 1}
    assert len(receiver.requests) == 4 and all(verified(*each) for each in receiver.requests)
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == {"1"}
    assert {headers["innkeeper-event-depth"] for headers, _ in receiver.requests} == {"1"}
    document = json.loads(receiver.requests[-1][1])
    assert document["specversion"] == "1.0" and document["id"] == "1" and document["type"] == f"innkeeper.{EVENT}"
    assert document["data"]["parameters"] == values and document["subject"] == "client/5"
    assert {"source", "time", "datacontenttype"} <= document.keys()
    assert list(Attempt.objects.order_by("id").values_list("http_status", flat=True)) == [500, 503, 302, 204]
    one.refresh_from_db()
    assert (one.delivered_count, one.failed_count) == (1, 3)
    assert SECRET not in str(list(Attempt.objects.values()))


@pytest.mark.django_db
@pytest.mark.usefixtures("closed_loops")
def test_gone_is_for_good(receiver: Receiver) -> None:
    handler(kind="webhook", url=receiver.url, sealed_secret=seal(SECRET), allow_private=True, command="", user="")
    receiver.answers = [(410, {}, b"")]
    raised(5)
    runs = Runs()
    runs.loop.pool._attempts = lambda claims: deliver.attempts(claims, None)  # type: ignore[arg-type]
    runs.settle()
    assert states() == {"dead": 1}
