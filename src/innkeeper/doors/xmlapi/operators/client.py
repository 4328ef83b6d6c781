"""Operator `client`: what `customer` was called before the common names."""

from __future__ import annotations

from innkeeper.doors.xmlapi.operators import customer
from innkeeper.doors.xmlapi.versions import Dialect

OPERATOR = "client"
DIALECTS = (Dialect.OLD,)

OPERATIONS = {name: customer.OPERATIONS[name] for name in ("add", "get", "set", "del")}
