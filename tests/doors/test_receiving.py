"""Bodies that are on their way."""

from __future__ import annotations

from innkeeper.doors.receiving import Incoming, Receiving


def body(address: str, deadline: float = 10) -> Incoming:
    return Incoming(address, lambda: None, deadline)


def test_the_oldest_body_of_an_address_with_too_many_is_to_be_ended() -> None:
    receiving = Receiving(2)
    first, second, third = body("a"), body("a"), body("a")
    assert [receiving.add(each) for each in (first, body("b"), second, third)] == [None, None, None, first]
    assert [receiving.remove(each) for each in (second, first, first, second)] == [True, True, False, False]
    assert receiving.add(body("a")) is None


def test_bodies_are_late_from_their_deadline_on_and_until_they_are_forgotten() -> None:
    receiving = Receiving(2)
    soon, later = body("a", 5), body("a", 6)
    receiving.add(soon)
    receiving.add(later)
    assert [receiving.late(now) for now in (4, 5, 6)] == [[], [soon], [soon, later]]
    receiving.remove(soon)
    assert receiving.late(6) == [later]
