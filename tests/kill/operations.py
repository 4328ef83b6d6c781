"""Operations to be killed, and what must be true of each afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from services.packets import Panel
from services.private import PASSWORD, PrivateInstance, Site, xml

_numbers = count(1)
ACCOUNTS = 3


@dataclass(frozen=True)
class Operation:
    """A packet, and how its trace is read: each of `traces` counts one thing that it writes.

    Either all traces are there, or none.
    """

    kind: str
    packet: str
    traces: dict[str, tuple[str, int]]
    reached: list[str]
    """Addresses that take mail once it has happened."""
    gone: list[str]
    """Addresses that take none any more once it has happened."""

    def run(self, client: Panel) -> None:
        """Send it; a refusal is raised, a death is an OSError."""
        client.results(f"<mail>{self.packet}</mail>")

    def state(self, instance: PrivateInstance) -> bool:
        """Whether it happened. Fails if it happened in part."""
        found = {name: instance.sql(query)[0][0] for name, (query, _) in self.traces.items()}
        whole = {name: number for name, (_, number) in self.traces.items()}
        assert found in (whole, dict.fromkeys(whole, 0)), f"{self.kind} happened in part: {found}"
        return found == whole


def _names() -> list[str]:
    number = next(_numbers)
    return [f"u{number}-{letter}" for letter in "abc"[:ACCOUNTS]]


def _in(values: list[str]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


def _records(operation: str, event: str, addresses: list[str], records: int) -> dict[str, tuple[str, int]]:
    """The audit entries and events about these addresses."""
    events = " OR ".join(f"parameters LIKE '%\"{address}\"%'" for address in addresses)
    audit = f"SELECT count(*) FROM core_auditentry WHERE operation = '{operation}' AND object_name IN {_in(addresses)}"
    return {
        "audit": (audit, records),
        "outbox": (f"SELECT count(*) FROM core_outboxevent WHERE event = '{event}' AND ({events})", records),
    }


def _mailname(name: str) -> str:
    reply = "<autoresponder><enabled>true</enabled><subject>Away</subject><text>later</text></autoresponder>"
    redirect = f"<forwarding><enabled>true</enabled>{xml('address', f'{name}@peer.invalid')}</forwarding>"
    secret = f"<password>{xml('value', PASSWORD)}</password>"
    box = "<mailbox><enabled>true</enabled></mailbox>"
    return f"<mailname>{xml('name', name)}{box}{redirect}{xml('alias', f'{name}-alias')}{reply}{secret}</mailname>"


def create(site: Site) -> Operation:
    """Several accounts with everything that makes rows."""
    names = _names()
    addresses = [site.address(name) for name in names]
    aliases = [site.address(f"{name}-alias") for name in names]
    whose = f"(SELECT account_id FROM mail_mailname WHERE address IN {_in(addresses)})"
    return Operation(
        "create",
        f"<create><filter>{xml('site-id', site.id)}{''.join(map(_mailname, names))}</filter></create>",
        {
            "names": (f"SELECT count(*) FROM mail_mailname WHERE address IN {_in(addresses + aliases)}", 2 * ACCOUNTS),
            "accounts": (f"SELECT count(*) FROM mail_mailaccount WHERE password <> '' AND id IN {whose}", ACCOUNTS),
            "redirects": (f"SELECT count(*) FROM mail_recipient WHERE account_id IN {whose}", ACCOUNTS),
            "replies": (f"SELECT count(*) FROM mail_autoresponder WHERE account_id IN {whose}", ACCOUNTS),
            "scripts": (f"SELECT count(*) FROM mail_sievescript WHERE active AND account_id IN {whose}", ACCOUNTS),
            **_records("mail.create", "mailname_create", addresses, ACCOUNTS),
        },
        reached=addresses + aliases,
        gone=[],
    )


def _existing(site: Site) -> list[str]:
    """Accounts made by a panel that nobody kills."""
    names = _names()
    site.mail(f"<create><filter>{xml('site-id', site.id)}{''.join(map(_mailname, names))}</filter></create>")
    return names


def update(site: Site) -> Operation:
    """Another password, description and alias for several accounts."""
    names = _existing(site)
    addresses = [site.address(name) for name in names]
    aliases = [site.address(f"{name}-second") for name in names]
    whose = f"(SELECT account_id FROM mail_mailname WHERE address IN {_in(addresses)})"
    old = site.instance.sql(f"SELECT password FROM mail_mailaccount WHERE id IN {whose}")
    secret = "<password><value>Other-8-Paper-Sun</value></password><description>changed</description>"
    changes = "".join(
        f"<mailname>{xml('name', name)}{xml('alias', f'{name}-second')}{secret}</mailname>" for name in names
    )
    return Operation(
        "update",
        f"<update><set><filter>{xml('site-id', site.id)}{changes}</filter></set></update>",
        {
            "aliases": (f"SELECT count(*) FROM mail_mailname WHERE address IN {_in(aliases)}", ACCOUNTS),
            "descriptions": (
                f"SELECT count(*) FROM mail_mailaccount WHERE description = 'changed' AND id IN {whose}", ACCOUNTS
            ),
            "passwords": (
                f"SELECT count(*) FROM mail_mailaccount WHERE id IN {whose} AND password NOT IN"
                f" {_in([password for (password,) in old])}", ACCOUNTS,
            ),
            **_records("mail.update", "mailname_update", addresses, ACCOUNTS),
        },
        reached=addresses + aliases,
        gone=[site.address(f"{name}-alias") for name in names],
    )  # fmt: skip


def rename(site: Site) -> Operation:
    """Another name for one account."""
    old, *_ = _existing(site)
    new = f"{old}-renamed"
    name = f"SELECT count(*) FROM mail_mailname WHERE address = '{site.address(new)}'"
    records = _records("mail.rename", "mailname_update", [site.address(new)], 1)
    return Operation(
        "rename",
        f"<rename>{xml('site-id', site.id)}{xml('name', old)}{xml('new-name', new)}</rename>",
        {"name": (name, 1), "outbox": records["outbox"]},
        reached=[site.address(new), site.address(f"{old}-alias")],
        gone=[site.address(old)],
    )


def remove(site: Site) -> Operation:
    """Several accounts into graves."""
    names = _existing(site)
    addresses = [site.address(name) for name in names]
    aliases = [site.address(f"{name}-alias") for name in names]
    listed = _in(addresses + aliases)
    return Operation(
        "remove",
        f"<remove><filter>{xml('site-id', site.id)}{''.join(xml('name', name) for name in names)}</filter></remove>",
        {
            "graves": (f"SELECT count(*) FROM mail_grave WHERE address IN {_in(addresses)}", ACCOUNTS),
            "names": (f"SELECT {2 * ACCOUNTS} - count(*) FROM mail_mailname WHERE address IN {listed}", 2 * ACCOUNTS),
            **_records("mail.remove", "mailname_delete", addresses, ACCOUNTS),
        },
        reached=[],
        gone=addresses + aliases,
    )


KINDS: list[Callable[[Site], Operation]] = [create, update, rename, remove]
