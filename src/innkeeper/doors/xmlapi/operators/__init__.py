"""The operators that are served, one module each.

A module declares `OPERATOR`, `DIALECTS` and `OPERATIONS`, and is found by being in this folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from innkeeper.doors.xmlapi.call import Handler
from innkeeper.doors.xmlapi.versions import Dialect


@cache
def handlers() -> dict[tuple[Dialect, str], dict[str, Handler]]:
    """The handlers of each operator, by dialect and name."""
    table: dict[tuple[Dialect, str], dict[str, Handler]] = {}
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        for dialect in module.DIALECTS:
            if (dialect, module.OPERATOR) in table:
                raise ValueError(f"{module.OPERATOR} is served twice in the {dialect.value} dialect")
            table[dialect, module.OPERATOR] = module.OPERATIONS
    return table
