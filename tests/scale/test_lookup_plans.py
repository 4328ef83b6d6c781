"""Every look-up of every daemon searches by an index at 1,000,000 accounts on 100,000 sites, on both engines.

The statements are taken from the files that the drivers render, so a query that is added or changed is judged too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction

from benchmarks.population import FIRST_SITE, populate
from innkeeper.accounts.operations import create_administrator
from innkeeper.components.drivers.postfix_dovecot import dovecot, mailboxes, outgoing, postfix
from innkeeper.components.drivers.postfix_dovecot.layout import Lookup
from innkeeper.components.drivers.postfix_dovecot.lookups import select
from innkeeper.instance.database import PLANNING

pytestmark = pytest.mark.scale

ADDRESS = f"a100@site{FIRST_SITE + 9}.test"
KEYS = {
    "domains": f"site{FIRST_SITE}.test",
    "catchall": f"@site{FIRST_SITE}.test",
    "bounce": f"@site{FIRST_SITE}.test",
    "transport": f"site-{FIRST_SITE}@bounce.invalid",
}


def lookup() -> Lookup:
    if connection.vendor == "sqlite":
        return Lookup(path=Path("/srv/panel.sqlite3"))
    return Lookup(host="localhost", port=5432, name="panel", role="lookup")


def dovecot_queries(text: str) -> Iterator[str]:
    """The look-ups of a Dovecot SQL file, without the one that walks all users by intent."""
    for name, query in re.findall(r"^(\w+_query) = ((?:.*\\\n)*.*)$", text, re.M):
        if name != "iterate_query":
            keyed = query.replace("%Lu", ADDRESS).replace("%Ln", "a100").replace("%Ld", KEYS["domains"])
            yield keyed.replace("\\\n", " ").replace("%s", "lmtp")


def dictionary_queries(text: str) -> Iterator[str]:
    """The statements that Dovecot makes of the maps of a dictionary file."""
    for table, value, field in re.findall(
        r"table = (\w+)\n.*?value_field = (\w+)\n\s+fields \{\n\s+(\w+) =", text, re.S
    ):
        yield f"SELECT {value} FROM {table} WHERE {field} = 'x' AND username = '{ADDRESS}'"


def python_queries(*sources: str) -> Iterator[str]:
    """The look-ups that a program makes."""
    for source in sources:
        for columns, view in re.findall(r'\.rows\((".*?"|LIMITS), "(svc_\w+)"', Path(source).read_text()):
            names = outgoing.LIMITS if columns == "LIMITS" else columns.strip('"')
            yield select(lookup().driver, names, view, f"'{ADDRESS}'")


def statements() -> list[str]:
    found = [
        select(lookup().driver, *query).replace("%s", KEYS.get(name, ADDRESS)).replace("%d", KEYS["domains"])
        for name, query in postfix.QUERIES.items()
    ]
    found += dovecot_queries(dovecot.sql_conf(layout()))
    found += dovecot_queries(dovecot.sql_delivery_conf(layout()))
    found += dovecot_queries(dovecot.sql_international_conf(lookup()))
    found += dictionary_queries(dovecot.dict_conf(lookup()))
    found += python_queries(mailboxes.__file__, outgoing.__file__)
    return found


def layout() -> SimpleNamespace:
    """Just what the SQL files read of a layout."""
    return SimpleNamespace(lookup=lookup(), storage=Path("/srv/mail"))


def scans(statement: str) -> list[str]:
    """The steps of a statement's plan that read a whole table or index."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("EXPLAIN QUERY PLAN " + statement)
            return [row[3] for row in cursor.fetchall() if row[3].startswith("SCAN")]
        found = steps(cursor, statement)
        # Of a function a connection keeps the plan of the statement inside.
        for function, key in set(re.findall(r"(svc_\w+)\(('[^']*')\)", statement)):
            cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [function])
            inside = re.search(r"SELECT .* = \$1", cursor.fetchone()[0])
            assert inside, statement
            cursor.execute(f"PREPARE kept (text) AS {inside[0]}")
            found += steps(cursor, f"EXECUTE kept ({key})")
            cursor.execute("DEALLOCATE kept")
    return found


def steps(cursor: Any, statement: str) -> list[str]:
    """What PostgreSQL's plan of a statement reads without a key."""
    cursor.execute("EXPLAIN (FORMAT JSON) " + statement)
    answer = cursor.fetchone()[0]
    plan = answer if isinstance(answer, list) else json.loads(answer)
    return list(whole(plan[0]["Plan"]))


def whole(plan: dict[str, Any]) -> Iterator[str]:
    """The steps that read without a key."""
    if "Scan" in plan["Node Type"] and "Index Cond" not in plan and "Relation Name" in plan:
        yield f"{plan['Node Type']} {plan['Relation Name']}"
    for child in plan.get("Plans", []):
        yield from whole(child)


@pytest.mark.django_db
def test_every_lookup_searches_by_an_index() -> None:
    create_administrator("Kx4!paper-Moon")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name, value in PLANNING.items():
                cursor.execute(f"SET LOCAL {name} = {value}")
    with transaction.atomic(), connection.cursor() as cursor:
        populate(cursor, connection.vendor, sites=100_000, accounts=1_000_000, password="{BLF-CRYPT}none")
    found = statements()
    assert len(found) >= 13, found
    failing = {statement: read for statement in found if (read := scans(statement))}
    assert not failing
    # The test can fail: an expression as key scans.
    assert scans("SELECT 1 FROM mail_mailname WHERE 'x' || address = 'y'")
