"""Runs the WSGI application under Granian, with the bodies read by the event loop.

A WSGI server reads the body in the thread that serves the request, so every slow client holds a thread. Here a
request takes a thread only when its body is complete: a thousand slow bodies hold up nobody and are ended by a
deadline. It also sees both of two equal headers, where WSGI shows the last alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper

from innkeeper.doors import wsgi
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
# A body of a known length up to this is awaited in one piece, which spares the loop a turn for each chunk.
WHOLE = 64 * 1024
CHUNK = 64 * 1024
SEND_SECONDS = 30.0
LINGER = 1.0

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


@dataclass(frozen=True, slots=True)
class Job:
    """Something that a thread does for a request; `done` hears of it in the loop."""

    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]

    def run(self) -> None:
        try:
            result = self.work()
        except Exception as error:
            log.exception("a request failed")
            self.loop.call_soon_threadsafe(self._finish, None, error)
        else:
            self.loop.call_soon_threadsafe(self._finish, result, None)

    def _finish(self, result: Any, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)


class Application:
    """An RSGI application around a WSGI one."""

    def __init__(self, application: WSGIApplication, body_limit: Callable[[WSGIEnvironment], int]) -> None:
        self._application = application
        self._body_limit = body_limit
        self._threads = Threads("request", THREADS)
        self._large = Threads("large-request", 1)
        self._receiving: dict[str, deque[asyncio.Timeout]] = {}
        self._buffered = 0

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called in the process that serves, before the first request."""
        end_with_parent()
        # What is loaded by now stays. The collections that a large packet sets off need not walk through it each time.
        gc.collect()
        gc.freeze()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            protocol.close(403)
            return
        environ = environ_of(scope)
        try:
            body = await self._receive(environ, protocol)
        except BodyRefusedError as refused:
            headers = [("content-type", "text/plain; charset=utf-8")]
            streamed = scope.http_version.startswith("2")
            if not streamed:
                headers.append(("connection", "close"))
            protocol.response_str(refused.status, headers, f"{refused.text}\n")
            if streamed:
                # Leaving ends the stream. Clients that see its end in one go with the answer take none, curl 7.88 too.
                await asyncio.sleep(LINGER)
            return
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        threads = self._large if len(body) >= LARGE else self._threads
        try:
            response = await _in_thread(threads, lambda: self._answer(environ, protocol))
        except Exception:  # logged where it happened
            protocol.response_str(500, [("content-type", "text/plain; charset=utf-8")], "The server failed.\n")
            return
        finally:
            self._buffered -= len(body)
        if response is not None and response.file is not None:
            await _stream(response.status, response.headers, response.file, protocol)

    async def _receive(self, environ: WSGIEnvironment, protocol: Any) -> bytes:
        """The complete body. Raises BodyRefusedError for one that is too large or too slow.

        The rest of a refused body is read over, for as long as it had been given: an answer before its end resets the
        connection or stream, and the client would never see its status. A client that asks first is told at once.
        """
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
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
        loop = asyncio.get_running_loop()
        started = loop.time()
        whole = declared.isdigit() and int(declared) <= WHOLE
        received = BytesIO()  # gives out what it holds without a copy
        size = 0
        others = self._receiving.setdefault(environ["REMOTE_ADDR"], deque())
        try:
            async with asyncio.timeout_at(started + PATIENCE) as deadline:
                if len(others) >= BODIES_PER_ADDRESS:
                    # The oldest is the slowest: end it rather than refuse one that may be quick.
                    others.popleft().reschedule(started)
                others.append(deadline)
                try:
                    if whole:
                        body: bytes = await protocol()
                        self._buffered += len(body)
                        return body
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
                    if deadline in others:
                        others.remove(deadline)
                    if not others:
                        self._receiving.pop(environ["REMOTE_ADDR"], None)
        except TimeoutError as error:
            self._buffered -= size
            raise refused or BodyRefusedError(408, "The request's body came too slowly.") from error
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

    def _answer(self, environ: WSGIEnvironment, protocol: Any) -> Response | None:
        """Run the application. A short answer is sent at once, without a turn through the loop; then None."""
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
        if response.file is not None:
            return response
        protocol.response_bytes(response.status, response.headers, response.body)
        return None


async def _in_thread(threads: Threads, work: Callable[[], Any]) -> Any:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    threads.submit(Job(work, loop, done).run)
    return await done


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


async def _stream(status: int, headers: Headers, file: IO[bytes], protocol: Any) -> None:
    """Send a long answer piece by piece; a client that stops reading is left after a while."""
    with file:
        transport = protocol.response_stream(status, headers)
        while chunk := file.read(CHUNK):
            async with asyncio.timeout(SEND_SECONDS):
                await transport.send_bytes(chunk)


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
