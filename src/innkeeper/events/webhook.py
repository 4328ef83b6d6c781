"""Sends one event to a web server: HTTPS, signed, no redirects, and to no private address unless that is allowed.

The signature is that of Standard Webhooks: an HMAC-SHA256 over id, time stamp and body, so that a receiver can tell who
sent it, that it is whole, and that it is not an old one again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
CONNECT_S = 10.0
RESOLVE_S = 10.0
LOOK_UPS = 64
"""At once, those included that nobody waits for any more."""

LONGEST_RETRY_AFTER_S = 24 * 3600
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


_look_ups = threading.BoundedSemaphore(LOOK_UPS)


class NotSentError(Exception):
    """No answer came. The message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """One event for one receiver. `timeout_s` holds from the look-up of the name to the end of the answer."""

    url: str
    id: str
    body: bytes
    secret: str
    timeout_s: float
    depth: int = 0
    allow_private: bool = False
    most_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said; at most as much of it as was asked for."""

    status: int
    text: str
    retry_after_s: int


def source() -> str:
    """Where the events come from, as CloudEvents wants it: with the event's id, unique for ever."""
    return f"/{settings.INSTANCE.name}" if settings.INSTANCE else "/innkeeper"


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """What the receiver calculates too."""
    key = secret.removeprefix(SECRET_PREFIX)
    raw = base64.b64decode(key) if key != secret else secret.encode()
    digest = hmac.new(raw, b".".join((id.encode(), str(timestamp).encode(), body)), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def is_private(address: str) -> bool:
    """Whether an address is none of the public internet's, also in one of the forms that carry an IPv4 address.

    Of IPv6 only what is given out is public: Python's tables know neither site-local nor compatible addresses.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is None and found not in GIVEN_OUT:
            return True
        found = inner or found
    return not found.is_global or found.is_multicast


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
GIVEN_OUT = ipaddress.IPv6Network("2000::/3")


def default_context() -> ssl.SSLContext:
    """Trusts the authorities that the machine trusts."""
    return ssl.create_default_context()


def send(request: Request) -> Answer:
    """Send it once. Raises NotSentError.

    The name is looked up here, once: what was checked is what is connected to, whatever the name says a moment later.
    """
    parts = urlsplit(request.url)
    host, deadline = parts.hostname, time.monotonic() + request.timeout_s
    if parts.scheme != "https" or host is None:
        raise NotSentError("The address is none of https.")
    port = parts.port or 443
    raw = _connect(host, port, request.allow_private, deadline)
    # Whoever answers a byte a minute would hold the delivery for ever: the deadline cuts the connection itself.
    guard = socket.socket(fileno=socket.dup(raw.fileno()))
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [guard])
    timer.daemon = True
    timer.start()
    try:
        secured = default_context().wrap_socket(raw, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = secured
        answer = _exchange(connection, request, parts.path or "/", parts.query)
        if time.monotonic() >= deadline:  # a connection that was cut looks like one that ended
            raise TimeoutError
        return answer
    except ssl.SSLCertVerificationError as error:
        raise NotSentError(f"The certificate of {host} is not trusted: {error.verify_message}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= deadline:
            raise NotSentError(f"{host} did not answer within {request.timeout_s:g} s.") from error
        raise NotSentError(f"{host} broke the connection off: {error or type(error).__name__}.") from error
    finally:
        timer.cancel()
        guard.close()
        raw.close()


def _cut(guard: socket.socket) -> None:
    with contextlib.suppress(OSError):
        guard.shutdown(socket.SHUT_RDWR)


def _exchange(connection: http.client.HTTPConnection, request: Request, path: str, query: str) -> Answer:
    timestamp = int(time.time())
    headers = {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": "Innkeeper",
        "webhook-id": request.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(request.secret, request.id, timestamp, request.body),
        "Innkeeper-Event-Depth": str(request.depth),
        "Connection": "close",
    }
    with contextlib.closing(connection):
        connection.request("POST", f"{path}?{query}" if query else path, request.body, headers)
        response = connection.getresponse()
        text = response.read(request.most_bytes).decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        after = response.getheader("Retry-After", "")
        seconds = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
        return Answer(response.status, text, min(seconds, LONGEST_RETRY_AFTER_S))


def _addresses(host: str, port: int, timeout_s: float) -> list[Any]:
    """What the name stands for. Raises NotSentError.

    The resolver's own bounds are a minute and more, and nothing can end its look-up: it is left to end by itself. While
    too many are left, no further one begins.
    """
    found: list[Any] = []
    failures: list[Exception] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failures.append(error)
        finally:
            _look_ups.release()

    begun = time.monotonic()
    if not _look_ups.acquire(timeout=max(0.0, timeout_s)):
        raise NotSentError(f"The name {host} was not looked up: too many look-ups do not end.")
    thread = threading.Thread(target=look_up, name="look-up", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the system gives no thread now
        _look_ups.release()
        raise NotSentError(f"The name {host} was not looked up: {error}.") from error
    thread.join(max(0.0, begun + timeout_s - time.monotonic()))
    if failures:
        raise NotSentError(f"The name {host} cannot be resolved: {failures[0]}.")
    if thread.is_alive() or not found:
        raise NotSentError(f"The name {host} was not resolved within {timeout_s:.3g} s.")
    return found


def _connect(host: str, port: int, allow_private: bool, deadline: float) -> socket.socket:
    """A connection to the first address that may be used and answers."""
    found = _addresses(host, port, min(RESOLVE_S, deadline - time.monotonic()))
    allowed = [each for each in found if allow_private or not is_private(str(each[4][0]))]
    if not allowed:
        address = found[0][4][0]
        raise NotSentError(f"{host} is the private address {address}, which this handler may not be sent to.")
    failure: OSError | None = None
    for family, kind, protocol, _, target in allowed:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(min(CONNECT_S, left))
        try:
            connection.connect(target)
        except OSError as error:
            connection.close()
            failure = error
            continue
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        return connection
    raise NotSentError(f"{host} cannot be reached: {failure or 'it took too long'}.") from failure
