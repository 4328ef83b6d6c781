"""The panel's server as a WSGI application: the packet protocol's one address, and Django for everything else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innkeeper.core.settings")
_django = get_wsgi_application()

from innkeeper.doors.xmlapi import endpoint  # noqa: E402  (needs the applications that the line above loads)

# The panel's forms upload files for automatic replies; the views behind them check the session before they use one.
PANEL_BODY_LIMIT = 8 * 1024 * 1024


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Hand the request to the door that its path names."""
    if environ.get("PATH_INFO") == endpoint.PATH:
        return endpoint.application(environ, start_response)
    return _django(environ, start_response)


def body_limit(environ: WSGIEnvironment) -> int:
    """How many bytes of body a server may read for this request. May look into the database."""
    if environ.get("PATH_INFO") == endpoint.PATH:
        return endpoint.body_limit(environ)
    return PANEL_BODY_LIMIT
