"""Sets of values in hand-written SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection


def among(column: str, values: Sequence[int] | Sequence[str]) -> tuple[str, Any]:
    """The condition `column` IN `values`, as text and its one parameter.

    One parameter for any number of values: the statement's text stays the same, so it is prepared once, and no
    engine's bound on parameters is met. Both engines look each value up in the column's index.
    """
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", list(values)
    return f"{column} IN (SELECT value FROM json_each(%s))", json.dumps(list(values))
