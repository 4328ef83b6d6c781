"""Hand-written statements keep the rules that Django's cursors keep."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.test.utils import CaptureQueriesContext

from innkeeper.core.db.statements import execute


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
def test_a_connection_that_the_server_ended_is_replaced_before_the_next_request() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server")
    ((pid,),) = execute("SELECT pg_backend_pid()")
    killer = connection.copy()
    with killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    killer.close()
    close_old_connections()
    assert execute("SELECT pg_backend_pid()") != [(pid,)]
