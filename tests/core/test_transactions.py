"""Transactions begin and end by short steps, with what Django promises of them."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from innkeeper.core.db.statements import execute

pytestmark = pytest.mark.django_db(transaction=True)


def put(name: str) -> None:
    execute("INSERT INTO core_setting (name, value) VALUES (%s, '1')", [name])


def stored() -> set[str]:
    return {name for (name,) in execute("SELECT name FROM core_setting")}


def test_hooks_run_once_after_the_commit_and_never_after_a_rollback() -> None:
    ran: list[str] = []
    with transaction.atomic():
        put("kept")
        transaction.on_commit(lambda: ran.append(f"in autocommit: {connection.get_autocommit()}"))
        assert not ran
    with pytest.raises(KeyError), transaction.atomic():
        put("lost")
        transaction.on_commit(lambda: ran.append("never"))
        raise KeyError
    with transaction.atomic():
        pass
    assert ran == ["in autocommit: True"]
    assert "kept" in stored()
    assert "lost" not in stored()


def test_a_savepoint_inside_is_undone_alone() -> None:
    with transaction.atomic():
        put("outer")
        with pytest.raises(KeyError), transaction.atomic():
            put("inner")
            raise KeyError
    assert "outer" in stored()
    assert "inner" not in stored()


def test_a_block_cannot_be_committed_from_inside() -> None:
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.commit()
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        transaction.set_autocommit(False)


def test_whoever_watches_sees_the_beginning_and_the_end() -> None:
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        put("watched")
    first, *_, last = (query["sql"] for query in captured.captured_queries)
    assert first.startswith("BEGIN")
    assert last == "COMMIT"


def test_a_connection_that_is_gone_is_opened_again() -> None:
    connection.close()
    assert connection.get_autocommit()
    connection.close()
    with transaction.atomic():
        put("reopened")
    assert "reopened" in stored()
