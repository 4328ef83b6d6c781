"""The packet protocol's address on the panel's server, as a WSGI application.

Whatever reaches the protocol answers 200; what went wrong stands in the answer. Only a request that is no request of
the protocol (method, size) gets an HTTP error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import FileWrapper

from django.db import DatabaseError

from innkeeper.accounts.authentication import authenticate_key, authenticate_password
from innkeeper.core.actor import Actor, Door
from innkeeper.core.db.statements import close_old_connection
from innkeeper.core.errors import AuthenticationFailed, Failed, Malformed, Refused
from innkeeper.doors.xmlapi.dispatch import Answer, answer, refusal
from innkeeper.doors.xmlapi.upload import answer_upload, is_upload
from innkeeper.mail.authentication import authenticate_mail_user

log = logging.getLogger(__name__)

PATH = "/enterprise/control/agent.php"
BODY_LIMIT = 4 * 1024 * 1024
ADMINISTRATOR_BODY_LIMIT = 20 * 1024 * 1024
IN_MEMORY = 1024 * 1024
CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)

# Set by a server that sees more of a request than WSGI shows: variables whose header came twice, with two values.
DOUBLED = "innkeeper.doubled_headers"

DEPTH = "HTTP_INNKEEPER_EVENT_DEPTH"
"""What a handler of an event was told, so that a circle of handlers and packets ends."""

LOGIN, PASSWORD, KEY, PRETTY = "HTTP_HTTP_AUTH_LOGIN", "HTTP_HTTP_AUTH_PASSWD", "HTTP_KEY", "HTTP_HTTP_PRETTY_PRINT"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Authenticate, run the packet, answer."""
    if environ["REQUEST_METHOD"] != "POST":
        return _http_error(start_response, "405 Method Not Allowed", "Send a packet by POST.", ("Allow", "POST"))
    close_old_connection()
    try:
        pretty = _header(environ, PRETTY).strip().upper() == "TRUE"
        try:
            actor = authenticate(environ)
            body = _body(environ, limit_of(actor))
            if body is None:
                return too_large(start_response)
            if is_upload(environ):
                result = answer_upload(actor, environ, body, pretty=pretty)
            else:
                result = answer(actor, body, charset=_charset(environ), pretty=pretty)
        except Refused as error:
            result = refusal(error, pretty=pretty)
        return _respond(environ, start_response, result)
    finally:
        close_old_connection()


def authenticate(environ: WSGIEnvironment) -> Actor:
    """The caller that the headers name; a secret key wins over a login. Raises Refused."""
    doubled = environ.get(DOUBLED, ())
    if any(name in doubled for name in (LOGIN, PASSWORD, KEY)):
        raise AuthenticationFailed("A log-in header occurs twice with different values.")
    address = environ.get("REMOTE_ADDR", "")
    try:
        if key := _header(environ, KEY):
            return _behind_handlers(authenticate_key(key, address), environ)
        login, password = _header(environ, LOGIN), _header(environ, PASSWORD)
        if not login or not password:
            raise AuthenticationFailed(
                "No log-in. Send the headers HTTP_AUTH_LOGIN and HTTP_AUTH_PASSWD, or the header KEY."
            )
        if "@" in login:
            # Refuses everybody, and says why to whoever knows the password.
            return authenticate_mail_user(login, password, address, Door.XML)
        return _behind_handlers(authenticate_password(login, password, address, Door.XML), environ)
    except DatabaseError as error:
        log.exception("authentication failed")
        raise Failed("The panel's database cannot be reached now. Try again later.") from error


def _behind_handlers(actor: Actor, environ: WSGIEnvironment) -> Actor:
    """The caller with the number of handlers that led to this packet.

    The administrator is believed alone: an event far down a chain is given to no handler, so whoever could say that of
    his own changes would hide them.
    """
    depth = environ.get(DEPTH, "")
    if not depth or not actor.is_administrator or not (depth.isascii() and depth.isdigit() and len(depth) < 4):
        return actor
    return replace(actor, depth=int(depth))


def limit_of(actor: Actor) -> int:
    """How many bytes a packet of this caller may have."""
    return ADMINISTRATOR_BODY_LIMIT if actor.is_administrator else BODY_LIMIT


def body_limit(environ: WSGIEnvironment) -> int:
    """How many bytes the server may read for this request, for servers that ask before they read a large body."""
    close_old_connection()
    try:
        return limit_of(authenticate(environ))
    except Refused:
        return BODY_LIMIT
    finally:
        close_old_connection()


def too_large(start_response: StartResponse) -> Iterable[bytes]:
    """The answer to a body over the limit."""
    text = f"A packet may have {BODY_LIMIT} bytes, of the administrator {ADMINISTRATOR_BODY_LIMIT}. Split it."
    return _http_error(start_response, "413 Content Too Large", text)


def _header(environ: WSGIEnvironment, name: str) -> str:
    """A header's bytes as UTF-8, as Latin-1 where they are none."""
    value: str = environ.get(name, "")
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _charset(environ: WSGIEnvironment) -> str:
    """What the request says of its encoding, in lower case; "" if nothing."""
    found = CHARSET.search(environ.get("CONTENT_TYPE") or "")
    return found[1].lower() if found else ""


def _body(environ: WSGIEnvironment, limit: int) -> bytes | None:
    """The whole body, None if it is over the limit. Raises Malformed for a compressed one."""
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding not in ("", "identity"):
        raise Malformed(f"The content encoding {coding[:32]!r} is not accepted. Send the packet as it is.")
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared.isdigit():
        if int(declared) > limit:
            return None
        body = environ["wsgi.input"].read(int(declared))
    else:
        body = environ["wsgi.input"].read(limit + 1)
    return None if len(body) > limit else body


def _respond(environ: WSGIEnvironment, start_response: StartResponse, result: Answer) -> Iterable[bytes]:
    headers = [("Content-Type", "text/xml; charset=UTF-8"), ("Content-Length", str(result.length))]
    start_response("200 OK", headers)
    if result.length <= IN_MEMORY:
        with result.content as content:
            return [content.read()]
    wrapper = environ.get("wsgi.file_wrapper", FileWrapper)
    wrapped: Iterable[bytes] = wrapper(result.content, 64 * 1024)
    return wrapped


def _http_error(start_response: StartResponse, status: str, text: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    start_response(
        status,
        [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", str(len(body))), *headers],
    )
    return [body]
