"""The floor of `get_info`: one SELECT of the same columns, written out by string formatting. No Django."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

NAME = os.environ["INNKEEPER_DATABASE"]
POSTGRESQL = NAME.startswith("postgresql:")
local = threading.local()
SELECT = (
    "SELECT a.id, n.local_part, a.mailbox_enabled, a.quota, a.antivir, a.outgoing_limit, a.description"
    " FROM mail_mailname n JOIN mail_mailaccount a ON a.id = n.account_id"
    " WHERE n.site_id = 1 AND n.kind = 'account' ORDER BY a.id LIMIT 1000"
)
ROW = (
    "<result><status>ok</status><mailname><id>%d</id><name>%s</name><mailbox><enabled>%s</enabled><quota>%d</quota></mailbox>"
    "<password/><antivir>%s</antivir><outgoing-messages-mbox-limit>%s</outgoing-messages-mbox-limit>"
    "<description>%s</description></mailname></result>"
)


def connect() -> Any:
    if not hasattr(local, "connection"):
        if POSTGRESQL:
            import psycopg

            local.connection = psycopg.connect(NAME, autocommit=True, prepare_threshold=0)
        else:
            local.connection = sqlite3.connect(NAME, isolation_level=None)
    return local.connection


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    rows = connect().execute(SELECT).fetchall()
    results = "".join(
        ROW % (i, escape(n), "true" if e else "false", q, v, "default" if limit is None else limit, escape(d))
        for i, n, e, q, v, limit, d in rows
    )
    answer = f'<?xml version="1.0" encoding="UTF-8"?><packet version="1.6.9.1"><mail><get_info>{results}</get_info></mail></packet>'
    start_response("200 OK", [("Content-Type", "text/xml; charset=UTF-8")])
    return [answer.encode()]
