"""Files that callers send ahead of the request that uses them."""

from __future__ import annotations

import secrets

from django.db.models import Sum
from django.utils import timezone

from innkeeper.core import files
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, LimitReached
from innkeeper.core.models import Upload
from innkeeper.core.operation import Operation

MAX_BYTES = 5 * 1024 * 1024
MAX_BYTES_WAITING = 50 * 1024 * 1024
MAX_NAME = 255


def store(actor: Actor, name: str, content: bytes) -> str:
    """Keep a file for a later request of the same caller, and return the handle that names it there.

    Uploads that nobody comes back for are removed after a day. Raises InvalidValue, LimitReached, Failed.
    """
    name = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidValue(f"name: give the file a name of 1 to {MAX_NAME} printable characters.", field="name")
    if len(content) > MAX_BYTES:
        raise LimitReached(f"file: {len(content)} bytes are too many. A file may have {MAX_BYTES}.", field="file")
    own = Upload.objects.filter(owner_kind=actor.kind.value, owner_id=actor.account_id)
    waiting = own.aggregate(bytes=Sum("size"))["bytes"] or 0
    if waiting + len(content) > MAX_BYTES_WAITING:
        raise LimitReached("file: too many uploads wait to be used. Use them, or try again tomorrow.", field="file")
    sha256 = files.put(content)
    with Operation(actor, "upload") as operation:
        row = Upload.objects.create(
            handle=secrets.token_hex(16),
            owner_kind=actor.kind.value,
            owner_id=actor.account_id,
            name=name,
            size=len(content),
            sha256=sha256,
            created_at=timezone.now(),
        )
        operation.audit("upload", row.pk, name)
    return row.handle
