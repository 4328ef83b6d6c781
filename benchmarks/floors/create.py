"""The floor of account creation: the same rows by prepared statements in one durable transaction. No Django.

The tables are those of the product, so both pay for the same indexes. A body of one account inserts one; a body of
many is parsed, checked for its form and inserted as one set.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from lxml import etree

NAME = os.environ["INNKEEPER_DATABASE"]
POSTGRESQL = NAME.startswith("postgresql:")
local = threading.local()
writer = threading.Lock()
parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
SCHEMA = etree.XMLSchema(
    etree.XML(
        """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:element name="packet"><xs:complexType><xs:sequence><xs:element name="mail"><xs:complexType><xs:sequence>
<xs:element name="create"><xs:complexType><xs:sequence><xs:element name="filter"><xs:complexType><xs:sequence>
<xs:element name="site-id" type="xs:positiveInteger"/><xs:element name="mailname" maxOccurs="unbounded"><xs:complexType><xs:sequence>
<xs:element name="name" type="xs:string"/>
<xs:element name="mailbox"><xs:complexType><xs:sequence><xs:element name="enabled" type="xs:boolean"/></xs:sequence></xs:complexType></xs:element>
<xs:element name="password"><xs:complexType><xs:sequence><xs:element name="value" type="xs:string"/><xs:element name="type" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:sequence><xs:attribute name="version"/></xs:complexType></xs:element></xs:schema>"""
    )
)
MARK = "%s" if POSTGRESQL else "?"
ACCOUNT = (
    "INSERT INTO mail_mailaccount (id, guid, site_id, storage, password, mailbox_enabled, quota, redirect_enabled,"
    " group_enabled, autoresponders_enabled, cp_access, cp_options, permissions, antivir, user_guid, description,"
    " color_scheme, used_bytes, created_at) VALUES (X, X, X, X, X, true, -1, false, false, false, false, '{}', '{}', 'off',"
    " '', '', 'auto', 0, X)"
).replace("X", MARK)
NAME_ROW = (
    "INSERT INTO mail_mailname (site_id, local_part, address, kind, account_id) VALUES (X, X, X, 'account', X)"
).replace("X", MARK)
AUDIT = (
    "INSERT INTO core_auditentry (at, actor_kind, actor_id, login, address, door, operation, object_type, object_id,"
    " object_name, detail) VALUES (X, 'admin', 1, 'admin', '127.0.0.1', 'xml', 'mail.create', 'mailname', X, X, '')"
).replace("X", MARK)
OUTBOX = (
    "INSERT INTO core_outboxevent (at, event, object_type, object_id, login, address, parameters, state)"
    " VALUES (X, 'mailname_create', 'mailname', X, 'admin', '127.0.0.1', X, 'pending')"
).replace("X", MARK)


def connect() -> Any:
    if not hasattr(local, "connection"):
        if POSTGRESQL:
            import psycopg

            local.connection = psycopg.connect(NAME, autocommit=True, prepare_threshold=0)
        else:
            local.connection = sqlite3.connect(NAME, isolation_level=None, timeout=20)
            local.connection.execute("PRAGMA journal_mode=WAL")
            local.connection.execute("PRAGMA synchronous=FULL")
    return local.connection


def insert(site: int, rows: list[tuple[str, str]]) -> list[int]:
    connection = connect()
    cursor = connection.cursor()
    with writer:
        cursor.execute("BEGIN" if POSTGRESQL else "BEGIN IMMEDIATE")
        if POSTGRESQL:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence('mail_mailaccount', 'id')) FROM generate_series(1, %s)",
                (len(rows),),
            )
            ids = [row[0] for row in cursor.fetchall()]
        else:
            cursor.execute("SELECT COALESCE(MAX(id), 0) FROM mail_mailaccount")
            first = cursor.fetchone()[0] + 1
            ids = list(range(first, first + len(rows)))
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        pairs = list(zip(ids, rows, strict=True))
        many: Callable[[str, Iterable[Any]], Any] = cursor.executemany
        many(ACCOUNT, [(i, str(uuid.uuid4()), site, uuid.uuid4().hex, p, now) for i, (_, p) in pairs])
        many(NAME_ROW, [(site, n, f"{n}@bench.test", i) for i, (n, _) in pairs])
        many(AUDIT, [(now, i, f"{n}@bench.test") for i, (n, _) in pairs])
        many(
            OUTBOX,
            [(now, i, json.dumps({"old_mailname": "", "new_mailname": f"{n}@bench.test"})) for i, (n, _) in pairs],
        )
        cursor.execute("COMMIT")
    return ids


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    root = etree.fromstring(body, parser)
    SCHEMA.assertValid(root)
    selection = root[0][0][0]
    rows = [(m[0].text or "", m[2][0].text or "") for m in selection[1:]]
    ids = insert(int(selection[0].text or 0), rows)
    results = "".join(
        f"<result><status>ok</status><mailname><id>{i}</id><name>{n}</name></mailname></result>"
        for i, (n, _) in zip(ids, rows, strict=True)
    )
    answer = f'<?xml version="1.0" encoding="UTF-8"?><packet version="1.6.9.1"><mail><create>{results}</create></mail></packet>'
    start_response("200 OK", [("Content-Type", "text/xml; charset=UTF-8")])
    return [answer.encode()]
