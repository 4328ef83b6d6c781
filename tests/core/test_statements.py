"""Hand-written statements keep the rules that Django's cursors keep."""

from __future__ import annotations

import contextlib
import threading

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from innkeeper.core.db.sets import among, insertion
from innkeeper.core.db.statements import execute, now
from innkeeper.core.operation import AUDIT_COLUMNS


def test_rows_come_back_and_a_write_has_none(db: None) -> None:
    assert execute("INSERT INTO core_setting (name, value) VALUES (%s, %s)", ["a%b", "1"]) == []
    assert execute("SELECT name, value FROM core_setting WHERE name LIKE %s", ["a%%"]) == [("a%b", "1")]


def test_errors_are_djangos_and_end_the_transaction(db: None) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        execute("SELECT nothing FROM core_setting")
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.set_rollback(True)
        execute("SELECT 1")


def test_a_statement_is_seen_by_whoever_watches(db: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        execute("SELECT 1")
    assert [query["sql"] for query in captured.captured_queries] == ["SELECT 1"]


@pytest.mark.django_db(transaction=True)
def test_a_write_outside_a_transaction_waits_for_its_turn() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has many writers")
    done = threading.Event()

    def write() -> None:
        execute("INSERT INTO core_setting (name, value) VALUES ('late', '1')")
        done.set()
        connection.close()

    writer = threading.Thread(target=write)
    with transaction.atomic():
        writer.start()
        assert not done.wait(0.1)
    writer.join(20)
    assert done.is_set()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_in_which_a_statement_failed_is_not_taken_for_committed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps what the other statements did")
    with pytest.raises(InternalError, match="rolled back"), transaction.atomic():
        execute("INSERT INTO core_setting (name, value) VALUES ('half', '1')")
        with contextlib.suppress(DatabaseError):
            execute("SELECT nothing FROM core_setting")
    assert execute("SELECT name FROM core_setting WHERE name = 'half'") == []
    with transaction.atomic():
        execute("INSERT INTO core_setting (name, value) VALUES ('whole', '1')")
    assert execute("SELECT name FROM core_setting WHERE name = 'whole'") == [("whole",)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_key", [False, True])
def test_a_server_that_went_away_is_no_refusal_of_the_statement(by_key: bool) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server")
    end_connection()
    with pytest.raises(OperationalError):
        execute("SELECT name FROM core_setting WHERE name = %s", ["a"], by_key=by_key)
    connection.close()
    with pytest.raises(OperationalError), transaction.atomic():
        execute("INSERT INTO core_setting (name, value) VALUES (%s, '1')", ["a"], by_key=by_key)
        end_connection()


def end_connection() -> int:
    """End this thread's connection from the server's side; what its process was called."""
    ((pid,),) = execute("SELECT pg_backend_pid()")
    killer = connection.copy()
    with killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    killer.close()
    return int(pid)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_replaced_before_the_next_request() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server")
    ended = end_connection()
    close_old_connections()
    assert execute("SELECT pg_backend_pid()") != [(ended,)]


def test_a_statement_that_is_kept_prepared_takes_each_kind_of_value(db: None) -> None:
    now = timezone.now().replace(microsecond=5)
    at = connection.ops.adapt_datetimefield_value(now)
    for number in (1, 2**40, -1):
        row = [at, "admin", number, "é%'\\", "", "xml", "none", "none", number, "", ""]
        execute(
            "INSERT INTO core_auditentry (at, actor_kind, actor_id, login, address, door, operation, object_type,"
            f" object_id, object_name, detail) VALUES ({', '.join(['%s'] * len(row))})",
            row,
            by_key=True,
        )
        select = "SELECT login FROM core_auditentry WHERE object_id = %s AND at = %s"
        assert execute(select, [number, at], by_key=True) == [("é%'\\",)]
        assert execute(select, [None, at], by_key=True) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        execute("INSERT INTO core_setting (name, value) VALUES (%s, %s)", ["a", None], by_key=True)
    assert execute("SELECT name FROM core_setting WHERE name = %s", ["a"], by_key=True) == []


@pytest.mark.parametrize(
    "values", [[], [""], ["a"], ["a", "b,c", 'd"e', "f\\g", "{h}", "null", "", "line\nend", "é"], [1, -(2**40)]]
)
def test_each_of_many_values_is_found_and_no_other(db: None, values: list[str] | list[int]) -> None:
    column = "object_id" if values and isinstance(values[0], int) else "object_name"
    for value in [*values, "other" if column == "object_name" else 7]:
        row = [now(), "admin", 1, "", "", "xml", "none", "none", 0, "", ""]
        row[8 if column == "object_id" else 9] = value
        execute(insertion("core_auditentry", AUDIT_COLUMNS), row)
    condition, parameter = among(column, values)
    found = execute(f"SELECT {column} FROM core_auditentry WHERE {condition} ORDER BY id", [parameter])
    assert [value for (value,) in found] == values
