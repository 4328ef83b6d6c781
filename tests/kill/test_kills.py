"""`kill -9` of the panel at any moment: an operation happened or it did not, and an answer of ok is kept."""

from __future__ import annotations

import random
import shutil
import smtplib
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.private import PrivateInstance, Site

from kill.operations import KINDS, Operation, create, update
from kill.panels import MortalPanel

pytestmark = pytest.mark.service

NAMED = [
    *((f"hash:{side}", kind) for side in ("before", "after") for kind in (create, update)),
    *((point, kind) for point in ("commit:before", "commit:after", "answer:before") for kind in KINDS),
]
STATEMENTS = [f"statement:{side}:{number}" for number in (1, 2, 4, 6, 9, 12) for side in ("before", "after")]
NAMED_KILLS, RANDOM_KILLS = 26, 24
INSIDE = 25
LONGEST_S = 0.6
"""The random kills fall into this time after a packet is sent."""


@pytest.fixture
def site(instance: PrivateInstance, home: Site) -> Site:
    return instance.site(Site.fresh_name("killed"), home)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the panel's user can read."""
    made = Path(tempfile.mkdtemp(prefix="inn-kill-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Graveyard:
    """Panels one after the other; the next one warms up while the present one is at work."""

    def __init__(self, instance: PrivateInstance, folder: Path) -> None:
        self._instance, self._folder, self._count = instance, folder, 0
        self._next = self._start()

    def _start(self) -> MortalPanel:
        self._count += 1
        return MortalPanel(self._instance, self._folder / str(self._count))

    def panel(self) -> MortalPanel:
        """A panel that is ready to work and die."""
        panel, self._next = self._next, self._start()
        panel.wait_ready()
        return panel

    def close(self) -> None:
        self._next.kill()


@pytest.fixture
def graveyard(instance: PrivateInstance, folder: Path) -> Iterator[Graveyard]:
    made = Graveyard(instance, folder)
    yield made
    made.close()


def check(instance: PrivateInstance, operation: Operation, answered_ok: bool, where: str) -> bool:
    """Rows, audit, outbox and look-ups agree with each other and with the answer; whether it happened."""
    happened = operation.state(instance)
    if answered_ok:
        assert happened, f"{operation.kind} was answered ok and is lost ({where})"
    with smtplib.SMTP("127.0.0.1", instance.ports["smtp"], local_hostname="peer.invalid", timeout=30) as peer:
        peer.ehlo()
        for addresses, there in ((operation.reached, happened), (operation.gone, not happened)):
            for address in addresses:
                if operation.kind in ("update", "rename") and address in operation.reached and not happened:
                    continue  # some of them are reached before, too
                peer.mail("someone@peer.invalid")
                assert (peer.rcpt(address)[0] == 250) == there, f"{address} after {operation.kind} ({where})"
                peer.rset()
    return happened


def test_an_operation_happened_or_not_wherever_the_panel_is_killed(
    instance: PrivateInstance, site: Site, graveyard: Graveyard, capsys: pytest.CaptureFixture[str]
) -> None:
    inside, happened, kinds, died_at = 0, 0, Counter[str](), Counter[str]()
    chance = random.Random(instance.base)
    statements = [(point, kind) for kind in KINDS for point in STATEMENTS]
    named = NAMED + chance.sample(statements, NAMED_KILLS - len(NAMED))
    plan: list[str] = [*[f"named {n}" for n in range(NAMED_KILLS)], *["random"] * RANDOM_KILLS]
    chance.shuffle(named)
    chance.shuffle(plan)
    for step in plan:
        panel = graveyard.panel()
        point, make = named.pop() if step != "random" else ("random", chance.choice(KINDS))
        operation = make(site)
        answered = attack(panel, operation, point, chance.uniform(0, LONGEST_S))
        was_inside = panel.is_at_work
        inside += was_inside
        died_at[point.partition(":")[0]] += was_inside
        kinds[operation.kind] += 1
        happened += check(instance, operation, answered, point)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(plan)} kills ({dict(kinds)}), {inside} inside an operation ({dict(died_at)});"
            f" {happened} operations happened, {len(plan) - happened} did not"
        )
    assert inside >= INSIDE


def attack(panel: MortalPanel, operation: Operation, point: str, delay: float) -> bool:
    """Send the operation to a panel that dies; whether it answered ok before."""
    killer = threading.Timer(delay, panel.kill)
    if point == "random":
        killer.start()
    else:
        panel.arm(point)
    try:
        operation.run(panel.client)
    except (OSError, ConnectionError):
        answered = False
    else:
        answered = True
    finally:
        if point == "random":
            killer.join()
        panel.kill()
    return answered


def test_the_same_packet_succeeds_after_the_panel_was_killed_in_the_middle_of_it(
    instance: PrivateInstance, site: Site, graveyard: Graveyard
) -> None:
    for point in ("statement:after:4", "commit:before"):
        panel = graveyard.panel()
        operation = KINDS[0](site)
        panel.arm(point)
        with pytest.raises(OSError):
            operation.run(panel.client)
        panel.kill()
        assert not operation.state(instance)
        operation.run(instance.panel)
        assert check(instance, operation, True, "the second time")
