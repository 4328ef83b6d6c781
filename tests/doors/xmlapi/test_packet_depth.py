"""A packet tells how deep in a chain of events it stands."""

from __future__ import annotations

import packet_world
import pytest
from packet_client import request

from innkeeper.core.models import OutboxEvent


@pytest.mark.parametrize(
    ("caller", "said", "depth"),
    [
        ("admin", "3", 3),
        ("admin", None, 0),
        ("admin", "-1", 0),
        ("admin", "9999", 0),
        ("admin", "\u0663", 0),
        ("alice", "9", 0),
    ],
)
@pytest.mark.usefixtures("world")
def test_the_administrators_packets_tell_how_many_handlers_led_to_them(
    caller: str, said: str | None, depth: int
) -> None:
    """A customer is not believed: an event at the end of a long chain is given to no handler."""
    OutboxEvent.objects.all().delete()
    packet = (
        "<packet><mail><create><filter><site-id>{}</site-id><mailname><name>deep</name></mailname></filter></create>"
        "</mail></packet>"
    )
    headers = {"KEY": f"{caller}-key"} | ({"Innkeeper-Event-Depth": said} if said else {})
    _, _, content = request(packet.format(packet_world.EXAMPLE).encode(), headers)
    assert b"<status>ok</status>" in content, content.decode()
    assert set(OutboxEvent.objects.filter(event="mailname_create").values_list("depth", flat=True)) == {depth}
