"""The panel's server: `python -m innkeeper.doors.serve OPTIONS`, with the options of Granian.

Everything that requests need is loaded before the workers are forked, so that they share it: a worker for itself takes
a third of the memory that it would have loaded alone. Nothing here may open a connection or start a thread.
"""

from __future__ import annotations

import gc
import runpy

from django.urls import get_resolver

from innkeeper.doors import rsgi
from innkeeper.doors.xmlapi import operators, schema
from innkeeper.doors.xmlapi.versions import FIRST_NEW, NEWEST, VERSIONS


def load() -> None:
    """Load what the first requests would load."""
    assert rsgi.application  # noqa: S101  (loads Django and its applications)
    get_resolver().url_patterns  # noqa: B018  (imports the panel's views)
    operators.handlers()
    schema.for_version(NEWEST)
    schema.for_version(next(version for version in reversed(VERSIONS) if version < FIRST_NEW))
    gc.collect()
    # The collector writes into every object that it looks at, and a page that is written to is shared no more.
    gc.freeze()


if __name__ == "__main__":
    load()
    runpy.run_module("granian", run_name="__main__")
