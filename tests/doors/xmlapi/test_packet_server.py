"""The packet protocol end to end: TLS, Granian, the event loop's body reader, a database file."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree

from tests.databases import ADMINISTRATOR_PASSWORD as PASSWORD
from tests.databases import SOURCE, Databases

AUTH = {"HTTP_AUTH_LOGIN": "admin", "HTTP_AUTH_PASSWD": PASSWORD, "Content-Type": "text/xml"}
PATH = "/enterprise/control/agent.php"
PROTOS = b"<packet><server><get_protos/></server></packet>"


@dataclass(frozen=True)
class Server:
    port: int
    context: ssl.SSLContext

    def connect(self) -> ssl.SSLSocket:
        return self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10))

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)

    def post(self, body: object, headers: dict[str, str], **options: bool) -> tuple[int, bytes]:
        with closing(self.connection()) as connection:
            connection.request("POST", PATH, body, headers, **options)
            response = connection.getresponse()
            return response.status, response.read()

    def raw(self, request: bytes, *, until: bytes = b"") -> bytes:
        """What the server says to these bytes, up to `until` or to the end of the connection."""
        with self.connect() as sock:
            sock.sendall(request)
            return receive(sock, until)


def receive(sock: socket.socket, until: bytes) -> bytes:
    answer = b""
    while not until or until not in answer:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            break
        if not data:
            break
        answer += data
    return answer


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(target: str, folder: Path, databases: Databases) -> Iterator[Server]:
    """Granian with this RSGI application, a SQLite database of its own and an administrator in it."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("INNKEEPER_STATE", "INNKEEPER_DATABASE")
    } | {
        "PYTHONPATH": f"{SOURCE}:{Path(__file__).parent}",
        "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings",
        "INNKEEPER_DATABASE": str(databases.file(folder / "panel.sqlite3", "administered")),
    }  # fmt: skip
    cert_file, key_file = certificate(folder)
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "granian"), "--interface", "rsgi", "--host", "127.0.0.1",
                "--port", str(port), "--workers", "1", "--ssl-certificate", str(cert_file),
                "--ssl-keyfile", str(key_file), target,
            ],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    context = ssl.create_default_context(cafile=str(cert_file))
    context.check_hostname = False
    running = Server(port, context)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                running.post(PROTOS, AUTH)
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
        yield running
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Server]:
    with serving("innkeeper.doors.rsgi:application", tmp_path_factory.mktemp("server"), databases) as running:
        yield running


def status_of(content: bytes) -> str:
    root = etree.fromstring(content)
    return root.findtext(".//errcode") or root.findtext(".//status") or ""


def test_headers_with_underscores_and_with_hyphens_arrive(server: Server) -> None:
    for headers in (AUTH, {name.replace("_", "-"): value for name, value in AUTH.items()}):
        status, content = server.post(PROTOS, headers)
        assert (status, status_of(content)) == (200, "ok")
        assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<packet version="1.6.9.1"><server>')


def test_pretty_printing_and_keys_arrive(server: Server) -> None:
    assert b"\n  <server>\n" in server.post(PROTOS, AUTH | {"HTTP_PRETTY_PRINT": "TRUE"})[1]
    assert status_of(server.post(PROTOS, {"KEY": "unknown"})[1]) == "11003"


def test_a_header_that_comes_twice_with_different_values_is_refused(server: Server) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n" % (PATH.encode(), len(PROTOS))
    login = b"HTTP_AUTH_LOGIN: admin\r\nHTTP_AUTH_PASSWD: %s\r\n" % PASSWORD.encode()
    for second, code in ((b"HTTP_AUTH_LOGIN: eve", b"1001"), (b"HTTP-AUTH-LOGIN: eve", b"1001")):
        answer = server.raw(head + login + second + b"\r\n\r\n" + PROTOS)
        assert b"<errcode>%s</errcode>" % code in answer
    answer = server.raw(head + login + b"HTTP-AUTH-LOGIN: admin\r\n\r\n" + PROTOS)
    assert b"<status>ok</status>" in answer


def test_chunked_bodies_are_read(server: Server) -> None:
    pieces = iter([PROTOS[:10], PROTOS[10:11], PROTOS[11:]])
    status, content = server.post(pieces, AUTH | {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert (status, status_of(content)) == (200, "ok")


def expecting(length: int, password: str = PASSWORD) -> bytes:
    return (
        b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n"
        b"HTTP_AUTH_LOGIN: admin\r\nHTTP_AUTH_PASSWD: %s\r\n\r\n"
    ) % (PATH.encode(), length, password.encode())


def test_a_client_that_expects_100_is_told_to_continue(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(expecting(len(PROTOS)))
        assert receive(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(PROTOS)
        assert b"<status>ok</status>" in receive(sock, b"</packet>")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: Server) -> None:
    assert server.raw(expecting(20 * 1024 * 1024 + 1), until=b"\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert server.raw(expecting(5 * 1024 * 1024, "wrong"), until=b"\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert server.raw(expecting(5 * 1024 * 1024), until=b"\r\n\r\n").startswith(b"HTTP/1.1 100")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs a client that speaks HTTP/2: install curl")
@pytest.mark.parametrize("length", ["declared", "unknown"])
def test_a_client_of_http_2_is_told_that_its_body_is_too_large(server: Server, tmp_path: Path, length: str) -> None:
    body = tmp_path / "body"
    body.write_bytes(b" " * 6_000_000)
    how = ["--data-binary", f"@{body}"] if length == "declared" else ["--request", "POST", "--upload-file", "-"]
    with body.open() as stream:
        done = subprocess.run(
            ["curl", "--silent", "--insecure", "--http2", "--max-time", "20",
             "--write-out", " %{http_version} %{http_code}", *how, f"https://127.0.0.1:{server.port}{PATH}"],
            stdin=stream, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done
    assert done.stdout.endswith("Split it.\n 2 413")


def test_a_client_that_sends_all_before_it_reads_is_told_that_its_body_is_too_large(server: Server) -> None:
    headers = AUTH | {"HTTP_AUTH_PASSWD": "wrong"}
    declared = server.post(b" " * 6_000_000, headers)
    pieces = iter([b" " * 1_000_000] * 6)
    chunked = server.post(pieces, headers | {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    for status, text in (declared, chunked):
        assert (status, text[-10:]) == (413, b"Split it.\n")


def test_an_endless_body_is_shut_out(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 65536

    with closing(server.connection()) as connection:
        try:
            connection.request(
                "POST", PATH, endless(), AUTH | {"Transfer-Encoding": "chunked", "KEY": "x"}, encode_chunked=True
            )
        except OSError:
            return  # closed while we were still sending
        raise AssertionError("an endless body was read")


def test_the_administrator_may_send_more_than_others(server: Server) -> None:
    status, content = server.post(PROTOS + b" " * (6 * 1024 * 1024), AUTH)
    assert (status, status_of(content)) == (200, "ok")


def test_slow_bodies_hold_nobody_up_and_are_shut_out(server: Server) -> None:
    slow = [server.connect() for _ in range(70)]
    try:
        for sock in slow:
            sock.sendall(
                b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nHTTP_AUTH_LOGIN: admin\r\n\r\n<"
                % PATH.encode()
            )
        status, content = server.post(PROTOS, AUTH)
        assert (status, status_of(content)) == (200, "ok")
        # More than an address may have open at once: the oldest are ended to make room.
        assert receive(slow[0], b"\r\n\r\n").startswith(b"HTTP/1.1 408")
    finally:
        for sock in slow:
            sock.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs a client that speaks HTTP/2: install curl")
@pytest.mark.parametrize("size", [20_000, 3_000_000])
def test_a_client_of_http_2_is_told_that_its_body_comes_too_slowly(server: Server, tmp_path: Path, size: int) -> None:
    body = tmp_path / "body"
    body.write_bytes(b" " * size)
    client = subprocess.Popen(
        ["curl", "--silent", "--insecure", "--http2", "--limit-rate", "1000", "--max-time", "20",
         "--write-out", " %{http_version} %{http_code}", "--data-binary", f"@{body}",
         f"https://127.0.0.1:{server.port}{PATH}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    others = []
    try:
        while client.poll() is None:  # more than an address may have open at once end the oldest
            others.append(server.connect())
            others[-1].sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n<" % PATH.encode())
            time.sleep(0.01)
        assert client.communicate()[0].endswith("too slowly.\n 2 408")
    finally:
        for sock in others:
            sock.close()


def test_a_disconnected_client_leaves_the_server_well(server: Server) -> None:
    for request in (expecting(1000), expecting(len(PROTOS)) + PROTOS, b"POST / HTTP"):
        with server.connect() as sock:
            sock.sendall(request)
    assert server.post(PROTOS, AUTH)[0] == 200


def test_other_methods_and_paths(server: Server) -> None:
    with closing(server.connection()) as connection:
        connection.request("GET", PATH)
        response = connection.getresponse()
        assert (response.status, response.getheader("Allow")) == (405, "POST")
        response.read()
        connection.request("POST", "/enterprise/control/other.php", PROTOS, AUTH)
        assert connection.getresponse().status == 404


def test_percent_encoded_paths_are_decoded_once(server: Server) -> None:
    with closing(server.connection()) as connection:
        connection.request("GET", "/enterprise/control/agent%2Ephp")
        assert connection.getresponse().status == 405


def test_a_long_answer_is_sent_piece_by_piece_to_a_slow_reader(server: Server) -> None:
    operations = 1000
    body = b"<packet><server>" + b"<get><prefs/></get>" * operations + b"</server></packet>"
    status, content = server.post(body, AUTH | {"HTTP_PRETTY_PRINT": "TRUE"})
    assert status == 200
    assert len(content) > 1024 * 1024
    assert content.count(b"<status>ok</status>") == operations
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nHTTP_PRETTY_PRINT: TRUE\r\nContent-Length: %d\r\n"
    login = b"HTTP_AUTH_LOGIN: admin\r\nHTTP_AUTH_PASSWD: %s\r\n\r\n" % PASSWORD.encode()
    with server.connect() as slow:
        slow.sendall(head % (PATH.encode(), len(body)) + login + body)
        first = slow.recv(1000)
        # The answer waits for its reader, and nobody else does.
        assert server.post(PROTOS, AUTH)[0] == 200
        rest = receive(slow, b"")
    assert (first + rest).partition(b"\r\n\r\n")[2] == content


def is_busy(server: Server, body: bytes) -> bool:
    """Whether a body is refused while another one stands before its end."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with suppress(OSError), server.connect() as slow:
        slow.sendall(head + body[:-1])
        return server.post(body, {})[0] == 503
    return False


def test_short_requests_pass_the_loop_by_and_failing_ones_leave_no_room_taken(
    tmp_path: Path, databases: Databases
) -> None:
    with serving("failing_application:application", tmp_path, databases) as server:
        body = b" " * (4 * 1024 * 1024)
        # More bytes than bodies may take together.
        for _ in range(3):
            status, content = server.post(body, {})
            assert (status, b"not for clients" in content) == (500, False)
        assert any(is_busy(server, body) for _ in range(20)), "another body has most of the room"
        assert any(server.post(body, {})[0] == 500 for _ in range(50)), "and gave it back"
        with closing(server.connection()) as connection:

            def by_loop(method: str, sent: bytes | None = None) -> int:
                connection.request(method, "/by-loop", sent)
                return int(connection.getresponse().read())

            before = by_loop("GET")
            assert by_loop("POST", body) == by_loop("POST", b"short") == by_loop("GET") == before + 1
        assert server.raw(b"POST /by-loop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nslow").startswith(
            b"HTTP/1.1 408"
        )
        with pytest.raises(http.client.IncompleteRead), closing(server.connection()) as connection:
            connection.request("GET", "/breaking")
            connection.getresponse().read()
    assert "a long answer broke off" in (tmp_path / "log").read_text()
