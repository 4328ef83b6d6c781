"""Messages through Postfix and Dovecot with 100,000 accounts: looked up in the panel's database, beside static maps.

Both are private instances of the same machine with all services up. In the peer every look-up is a file made
beforehand (hash maps, a passwd-file).
"""

from __future__ import annotations

import contextlib
import random
import re
import smtplib
import statistics
import subprocess
import threading
import time
from pathlib import Path

import psutil

from benchmarks.harness import ROUNDS, report, spread, wait_for
from benchmarks.instance import Instance, up
from benchmarks.population import FIRST_SITE

ACCOUNTS = 100_000
QUOTA = 2**30
"""Unlimited mailboxes would spare ours, and only ours, the question to Dovecot."""
SITES = 1_000
MESSAGES = 400
CLIENTS = 4
TEXT = "From: sender@outside.test\r\nTo: {to}\r\nSubject: Figures\r\n\r\n" + "A line of a letter.\r\n" * 90

FILL = """
import django; django.setup()
from django.db import connection, transaction
from benchmarks.population import populate
with transaction.atomic(), connection.cursor() as cursor:
    populate(cursor, connection.vendor, sites={sites}, accounts={accounts}, password="{{BLF-CRYPT}}none")
    cursor.execute("UPDATE mail_mailaccount SET quota = {quota}")
"""


def fill(instance: Instance) -> None:
    """The population, written by the panel's own user."""
    description = instance.state / "instance.json"
    environment = re.search(r'"environment": "([^"]+)"', description.read_text())[1]  # type: ignore[index]
    panel = psutil.Process(_pids(instance)["panel"])
    root = Path(__file__).resolve().parent.parent
    script = FILL.format(sites=SITES, accounts=ACCOUNTS, quota=QUOTA)
    subprocess.run(
        [f"{environment}/bin/python", "-c", script],
        check=True,
        user=panel.uids().real,
        group=panel.gids().real,
        cwd="/",
        env=panel.environ() | {"PYTHONPATH": f"{instance.state}/program/current:{_readable_copy(instance, root)}"},
    )


def _readable_copy(instance: Instance, root: Path) -> Path:
    """The benchmarks where the panel's user can read them: a clone may lie below a closed folder."""
    target = instance.state / "bench" / "benchmarks"
    target.mkdir(parents=True)
    for file in ("__init__.py", "population.py"):
        (target / file).write_text((root / "benchmarks" / file).read_text())
    return target.parent


def _pids(instance: Instance) -> dict[str, int]:
    import json

    status = subprocess.run(
        [Path(__file__).resolve().parent.parent / "innkeeper", "status", "--json", "--state", instance.state],
        capture_output=True,
        check=True,
    )
    return {name: program["pid"] for name, program in json.loads(status.stdout)["programs"].items()}


def make_static(instance: Instance) -> None:
    """Turn an instance into the peer: same daemons, every look-up a file."""
    etc = instance.state / "etc"
    users = [(n, f"u{n}@site{FIRST_SITE + (n - 1) * SITES // ACCOUNTS}.test") for n in range(1, ACCOUNTS + 1)]
    maps = etc / "static"
    maps.mkdir()
    content = {
        "domains": [f"site{FIRST_SITE + n}.test ok\n" for n in range(SITES)],
        "recipients": [f"{address} ok\n" for _, address in users],
        "mailboxes": [f"{address} {address}\n" for _, address in users],
        "plain": [f"{address} bounded\n" for _, address in users],
    }
    main = (etc / "postfix" / "main.cf").read_text()
    for name in re.findall(r"/sql/(\w+)\.cf", main):
        (maps / name).write_text("".join(content.get(name, [])))
        subprocess.run(["postmap", "-c", etc / "postfix", f"hash:{maps / name}"], check=True)
    (etc / "postfix" / "main.cf").write_text(re.sub(r"sqlite:\S+/sql/(\w+)\.cf", rf"hash:{maps}/\1", main))

    storage = instance.state / "mail"
    (maps / "users").write_text(
        "".join(
            f"{address}:::::{storage}/st/storage{n + 10**18}::userdb_quota_rule=*:bytes={QUOTA}\n"
            for n, address in users
        )
    )
    dovecot = (etc / "dovecot" / "dovecot.conf").read_text()
    dovecot = re.sub(r"^(passdb|userdb) \{\n(?:.*\n)*?\}\n", "", dovecot, flags=re.M)
    files = f"  driver = passwd-file\n  args = {maps}/users\n"
    (etc / "dovecot" / "dovecot.conf").write_text(f"{dovecot}\npassdb {{\n{files}}}\nuserdb {{\n{files}}}\n")
    pids = _pids(instance)
    subprocess.run(["doveadm", "-c", etc / "dovecot" / "dovecot.conf", "reload"], check=True)
    subprocess.run(["kill", "-HUP", str(pids["postfix"])], check=True)
    time.sleep(2)


def delivered(instance: Instance) -> int:
    return (instance.state / "log" / "postfix.log").read_bytes().count(b"status=sent")


def deliver(instance: Instance, seed: int) -> float:
    """Messages a second, from the first connection to the last delivery."""
    draw = random.Random(seed)
    recipients = [draw.randrange(1, ACCOUNTS) for _ in range(MESSAGES)]
    addresses = iter([f"u{n}@site{FIRST_SITE + (n - 1) * SITES // ACCOUNTS}.test" for n in recipients if n % 100])
    expected = sum(1 for n in recipients if n % 100)
    before = delivered(instance)
    lock = threading.Lock()

    def client() -> None:
        with smtplib.SMTP("127.0.0.1", instance.facts["smtp"]["port"], timeout=60) as server:
            while True:
                with lock:
                    address = next(addresses, None)
                if address is None:
                    return
                server.sendmail("sender@outside.test", [address], TEXT.format(to=address))

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: delivered(instance) - before >= expected, "the last delivery", 20)
    return expected / (time.perf_counter() - start)


def main(engine: str) -> None:
    with contextlib.ExitStack() as stack:
        options: list[str] = []
        if engine == "postgresql":
            from benchmarks.harness import database, scratch

            url = stack.enter_context(database(engine, stack.enter_context(scratch())))
            options = ["--database", url]
        ours = stack.enter_context(up(*options))
        peer = stack.enter_context(up())
        fill(ours)
        make_static(peer)
        rates: dict[str, list[float]] = {"database": [], "static maps": []}
        for round_ in range(ROUNDS + 1):
            for label, instance in (("database", ours), ("static maps", peer)):
                rate = deliver(instance, seed=round_)
                if round_:
                    rates[label].append(rate)
    for label, values in rates.items():
        print(f"{label:>12}: {spread(values)} messages a second")
    report(
        "database beside static maps",
        statistics.median(rates["database"]) / statistics.median(rates["static maps"]),
        ">= 0.90",
    )
