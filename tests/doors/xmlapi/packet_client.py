"""A client of the packet protocol that calls the WSGI application itself."""

from __future__ import annotations

from io import BytesIO
from wsgiref.util import setup_testing_defaults

from innkeeper.doors import wsgi
from innkeeper.doors.xmlapi.endpoint import PATH


def request(body: bytes, headers: dict[str, str] | None = None, **environ: str) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers and body of an answer. Header names are as on the wire."""
    env: dict[str, object] = {"REQUEST_METHOD": "POST", "PATH_INFO": PATH, "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(env)
    env["CONTENT_LENGTH"] = str(len(body))
    env["wsgi.input"] = BytesIO(body)
    for name, value in (headers or {}).items():
        env["HTTP_" + name.upper().replace("-", "_")] = value.encode().decode("latin-1")
    env.update(environ)
    seen: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        seen.append((status, dict(headers)))

    parts = wsgi.application(env, start_response)
    content = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return (*seen[0], content)
