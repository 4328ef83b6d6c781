"""What client and listener say to each other: frames of JSON and of raw bytes, each with its length before it.

A request is one JSON frame, with one frame of bytes behind it if it says `"data": true`. An answer is any number of
JSON frames with `rows` and of frames with bytes, and at last one JSON frame with `exit`.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

JSON, DATA = 0, 1
_HEAD = struct.Struct(">BI")

MAXIMUM = 32 * 1024 * 1024
"""Longest frame. Packets are bounded below this by the packet door itself."""

CHUNK = 256 * 1024
ROWS = 500


class WireError(Exception):
    """The other side does not speak this protocol, or has gone."""


def send(connection: socket.socket, value: dict[str, Any]) -> None:
    """Send one JSON frame."""
    _send(connection, JSON, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def send_data(connection: socket.socket, data: bytes) -> None:
    """Send one frame of bytes."""
    _send(connection, DATA, data)


def _send(connection: socket.socket, kind: int, payload: bytes) -> None:
    if len(payload) > MAXIMUM:
        raise WireError(f"{len(payload)} bytes are too many for one frame")
    connection.sendall(_HEAD.pack(kind, len(payload)))
    connection.sendall(payload)


def receive(connection: socket.socket) -> dict[str, Any] | bytes:
    """The next frame: an object, or bytes. Raises WireError at the end and for anything else."""
    kind, length = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if kind not in (JSON, DATA) or length > MAXIMUM:
        raise WireError("not a frame")
    payload = _exactly(connection, length)
    if kind == DATA:
        return payload
    try:
        value = json.loads(payload)
    except ValueError:
        raise WireError("not JSON") from None
    if not isinstance(value, dict):
        raise WireError("not an object")
    return value


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), CHUNK))
        if not part:
            raise WireError("the connection ended")
        parts += part
    return bytes(parts)
