"""Ids that are random."""

from __future__ import annotations

import uuid

from innkeeper.core.ids import new_guid


def test_a_guid_is_a_random_uuid_as_the_standard_library_writes_it() -> None:
    made = [new_guid() for _ in range(100)]
    assert len(set(made)) == 100
    for text in made:
        read = uuid.UUID(text)
        assert str(read) == text
        assert (read.version, read.variant) == (4, uuid.RFC_4122)
