"""A program that follows a running panel by the numbers of its log of actions misses nothing."""

from __future__ import annotations

import threading

from lxml.etree import _Element as Element

from services.mail_clients import wait_for
from services.private import PrivateInstance, Site

WRITERS, EACH = 4, 5


def events(instance: PrivateInstance, after: int) -> list[Element]:
    """The events after a number."""
    answer = instance.panel.packet(f"<event_log><get_events><lastId>{after}</lastId></get_events></event_log>")
    return answer.findall(".//event")


def test_a_reader_beside_many_writers_sees_each_event_once_and_in_order(instance: PrivateInstance, home: Site) -> None:
    last = int(instance.panel.packet("<event_log><get-last-id/></event_log>").findtext(".//id") or 0)
    site = instance.site(Site.fresh_name("log"), home)

    def write(number: int) -> None:
        for each in range(EACH):
            site.create(f"<name>w{number}-{each}</name>")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    seen: list[tuple[int, int]] = []

    def all_are_seen() -> bool:
        nonlocal last
        for event in events(instance, last):
            last = int(event.findtext("id") or 0)
            if event.findtext("class") == "mailname":
                seen.append((last, int(event.findtext("obj_id") or 0)))
        return len(seen) >= WRITERS * EACH

    wait_for("every new account is in the log", all_are_seen)
    for writer in writers:
        writer.join(30)
    made = {row[0] for row in instance.sql(f"SELECT id FROM mail_mailaccount WHERE site_id = {site.id}")}
    assert {object_id for _, object_id in seen} == made
    assert len(seen) == len(made) == WRITERS * EACH
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    assert events(instance, last) == []
