"""Runs the WSGI application under Granian, with the bodies read before a thread is taken.

A WSGI server reads the body in the thread that serves the request, so every slow client holds a thread. Here a
request takes a thread only when its body is complete: a thousand slow bodies hold up nobody and are ended by a
deadline. It also sees both of two equal headers, where WSGI shows the last alone.

A request without a body, or with a short one of known length, goes from the server's thread to the one that answers
without the event loop, which took a fifth of the time of a short request. Other bodies are read by the loop, chunk by
chunk.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from innkeeper.doors import shortcut, wsgi
from innkeeper.doors.receiving import Incoming, Receiving
from innkeeper.doors.threads import Threads
from innkeeper.doors.xmlapi.endpoint import BODY_LIMIT, DOUBLED
from innkeeper.instance.parent import end_with_parent

log = logging.getLogger(__name__)

THREADS = 4
# A body from this size on is answered by one thread of its own: so memory holds one large packet at a time, and
# large packets never take the threads of the others.
LARGE = 256 * 1024
# A body has this many seconds, and one more for each RATE bytes that came.
PATIENCE = 10.0
RATE = 16 * 1024
BODIES_PER_ADDRESS = 64
BUFFERED_BYTES = 64 * 1024 * 1024
IN_MEMORY = 1024 * 1024
# Of a refused body so much is read over: most clients look for an answer only when they have sent all.
READ_OVER = 64 * 1024 * 1024
# A body of a known length up to this is awaited as a whole.
WHOLE = 64 * 1024
CHUNK = 64 * 1024
SEND_SECONDS = 30.0
# A stream of HTTP/2 ends so long after a refusal: clients that see both in one go take no answer, curl 7.88 too.
LINGER = 1.0
BODILESS = frozenset({"GET", "HEAD"})
TOO_SLOW = "The request's body came too slowly."

Headers = list[tuple[str, str]]


class BodyRefusedError(Exception):
    """The body will not be read to its end."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(slots=True)
class Response:
    """What the application answered: either a short body or a file at its beginning."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: IO[bytes] | None = None


class Application:
    """An RSGI application around a WSGI one."""

    _loop: asyncio.AbstractEventLoop

    def __init__(self, application: WSGIApplication, body_limit: Callable[[WSGIEnvironment], int]) -> None:
        self._application = application
        self._body_limit = body_limit
        self._threads = Threads("request", THREADS)
        self._large = Threads("large-request", 1)
        self._receiving = Receiving(BODIES_PER_ADDRESS)
        self._buffered = 0

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called in the process that serves, before the first request."""
        end_with_parent()
        self._loop = loop
        shortcut.install(loop, self._take)
        self._end_late_bodies()
        # What is loaded by now stays. The collections that a large packet sets off need not walk through it each time.
        gc.collect()
        gc.freeze()

    def _end_late_bodies(self) -> None:
        for body in self._receiving.late(self._loop.time()):
            body.end()
        self._loop.call_later(1, self._end_late_bodies)

    def _take(self, scope: Any, protocol: Any) -> bool:
        """In the server's thread: see to it that a request is answered that needs no loop. False for others."""
        if scope.proto != "http":
            return False
        environ = environ_of(scope)
        if environ["REQUEST_METHOD"] in BODILESS:
            self._threads.submit(partial(self._answer, b"", environ, protocol))
            return True
        declared = environ.get("CONTENT_LENGTH", "")
        if not declared.isdigit() or int(declared) > WHOLE:
            return False
        coming = protocol()

        def end() -> None:
            if self._receiving.remove(incoming):
                _refuse(BodyRefusedError(408, TOO_SLOW), environ, protocol)
            self._loop.call_later(LINGER, coming.cancel)  # which ends the stream

        incoming = Incoming(environ["REMOTE_ADDR"], end, self._loop.time() + PATIENCE)
        if oldest := self._receiving.add(incoming):
            self._loop.call_soon_threadsafe(oldest.end)
        coming.add_done_callback(shortcut.Arrival(partial(self._arrived, incoming, environ, protocol)))
        return True

    def _arrived(self, incoming: Incoming, environ: WSGIEnvironment, protocol: Any, coming: Any) -> None:
        """In the server's thread: have a request answered, unless it was refused meanwhile."""
        if not self._receiving.remove(incoming):
            return
        try:
            body = coming.result()
        except Exception:  # the client went away
            _refuse(BodyRefusedError(408, TOO_SLOW), environ, protocol)
        else:
            self._threads.submit(partial(self._answer, body, environ, protocol))

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer a request whose body the loop has to read."""
        if scope.proto != "http":
            protocol.close(403)
            return
        environ = environ_of(scope)
        try:
            body = await self._receive(environ, protocol)
        except BodyRefusedError as refused:
            _refuse(refused, environ, protocol)
            if scope.http_version.startswith("2"):
                await asyncio.sleep(LINGER)  # leaving ends the stream
            return
        threads = self._large if len(body) >= LARGE else self._threads
        try:
            await _in_thread(threads, partial(self._answer, body, environ, protocol))
        finally:
            self._buffered -= len(body)

    async def _receive(self, environ: WSGIEnvironment, protocol: Any) -> bytes:
        """The complete body. Raises BodyRefusedError for one that is too large or too slow.

        The rest of a refused body is read over, for as long as it had been given: an answer before its end resets the
        connection or stream, and the client would never see its status. A client that asks first is told at once.
        """
        if environ["REQUEST_METHOD"] in BODILESS:
            return b""
        declared = environ.get("CONTENT_LENGTH", "")
        reads_over = 0 if "HTTP_EXPECT" in environ else READ_OVER
        refused: BodyRefusedError | None = None
        limit = BODY_LIMIT
        if declared.isdigit() and int(declared) > limit:
            try:
                limit = await self._raised_limit(environ, int(declared))
            except BodyRefusedError as error:
                if int(declared) > reads_over:
                    raise
                refused = error
        started = self._loop.time()
        received = BytesIO()  # gives out what it holds without a copy
        size = 0
        try:
            async with asyncio.timeout_at(started + PATIENCE) as deadline:
                incoming = Incoming(environ["REMOTE_ADDR"], partial(deadline.reschedule, started), math.inf)
                if oldest := self._receiving.add(incoming):
                    oldest.end()
                try:
                    async for chunk in protocol:
                        if refused is not None:
                            reads_over -= len(chunk)
                            if reads_over < 0:
                                raise refused
                            continue
                        size += len(chunk)
                        self._buffered += len(chunk)
                        received.write(chunk)
                        try:
                            if size > limit:
                                limit = await self._raised_limit(environ, size)
                            if self._buffered > BUFFERED_BYTES:
                                raise BodyRefusedError(503, "The server is busy. Try again in a moment.")
                        except BodyRefusedError as error:
                            if not reads_over:
                                raise
                            refused = error
                            self._buffered -= size
                            size = 0
                            received = BytesIO()
                            continue
                        deadline.reschedule(started + PATIENCE + size / RATE)
                finally:
                    self._receiving.remove(incoming)
        except TimeoutError as error:
            self._buffered -= size
            raise refused or BodyRefusedError(408, TOO_SLOW) from error
        except BaseException:
            self._buffered -= size
            raise
        if refused is not None:
            raise refused
        return received.getvalue()

    async def _raised_limit(self, environ: WSGIEnvironment, size: int) -> int:
        """The limit of this caller, asked for only when a body is over the common one."""
        limit: int = await _in_thread(self._threads, lambda: self._body_limit(environ))
        if size > limit:
            raise BodyRefusedError(413, f"The request's body may have {limit} bytes. Split it.")
        return limit

    def _answer(self, body: bytes, environ: WSGIEnvironment, protocol: Any) -> None:
        """Answer a request whose body is complete, in a thread. Raises nothing."""
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        try:
            response = self._run(environ)
            if response.file is None:
                protocol.response_bytes(response.status, response.headers, response.body)
            else:
                transport = protocol.response_stream(response.status, response.headers)
                asyncio.run_coroutine_threadsafe(_stream(response.file, transport), self._loop)
        except Exception:
            log.exception("a request failed")
            protocol.response_str(500, [("content-type", "text/plain; charset=utf-8")], "The server failed.\n")

    def _run(self, environ: WSGIEnvironment) -> Response:
        response = Response()

        def start_response(status: str, headers: Headers, _error: Any = None) -> Callable[[bytes], object]:
            response.status = int(status.split(" ", 1)[0])
            response.headers = headers
            return lambda _data: None

        result = self._application(environ, start_response)
        try:
            _collect(result, response)
        finally:
            if response.file is None and hasattr(result, "close"):
                result.close()
        return response


async def _in_thread(threads: Threads, work: Callable[[], Any]) -> Any:
    """What `work` returns, done by one of the threads."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish(result: Any, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            loop.call_soon_threadsafe(finish, None, error)
        else:
            loop.call_soon_threadsafe(finish, result, None)

    threads.submit(run)
    return await done


def _refuse(refused: BodyRefusedError, environ: WSGIEnvironment, protocol: Any) -> None:
    headers = [("content-type", "text/plain; charset=utf-8")]
    if not environ["SERVER_PROTOCOL"].startswith("HTTP/2"):
        headers.append(("connection", "close"))
    protocol.response_str(refused.status, headers, f"{refused.text}\n")


def _collect(result: Iterable[bytes], response: Response) -> None:
    """Take a WSGI result over into a response, without holding a long one in memory."""
    if isinstance(result, FileWrapper):
        response.file = result.filelike
        return
    parts = iter(result)
    head = [next(parts, b"")]
    rest = next(parts, None)
    if rest is None:
        response.body = head[0]
        return
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (closed by _stream)
    file.write(head[0])
    file.write(rest)
    for part in parts:
        file.write(part)
    if file.tell() <= IN_MEMORY:
        file.seek(0)
        response.body = file.read()
        file.close()
        return
    file.seek(0)
    response.file = file


async def _stream(file: IO[bytes], transport: Any) -> None:
    """Send a long answer piece by piece; a client that stops reading is left after a while. Raises nothing."""
    with file:
        try:
            while chunk := file.read(CHUNK):
                async with asyncio.timeout(SEND_SECONDS):
                    await transport.send_bytes(chunk)
        except (TimeoutError, ProtocolClosed):
            pass  # the client went away
        except Exception:
            log.exception("a long answer broke off")


def environ_of(scope: Any) -> WSGIEnvironment:
    """The WSGI environment of an RSGI request, except for its body."""
    host, _, port = scope.server.rpartition(":")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(scope.path, "latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    doubled: set[str] = set()
    for name, value in scope.headers.items():
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        before = environ.setdefault(variable, value)
        if before != value:
            doubled.add(variable)
            environ[variable] = f"{before}; {value}" if variable == "HTTP_COOKIE" else f"{before},{value}"
    if "HTTP_HOST" not in environ and scope.authority:
        environ["HTTP_HOST"] = scope.authority
    environ[DOUBLED] = frozenset(doubled)
    return environ


application = Application(wsgi.application, wsgi.body_limit)
