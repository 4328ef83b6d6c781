"""The people and objects that every packet pair finds.

The administrator has id 1. Rita is a reseller and Carol her customer; Alice owns two webspaces, Charlie is a stranger
to her. Ids are fixed, because packets name sites by id. Each of them logs in with the secret key `NAME-key`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django.utils import timezone

from innkeeper.accounts.authentication import key_hash
from innkeeper.accounts.models import Account, SecretKey, new_guid
from innkeeper.core import files
from innkeeper.core.models import EventNumber, OutboxEvent, Upload
from innkeeper.events.catalogue import EVENTS
from innkeeper.hosting.models import Site, Webspace
from innkeeper.mail.models import MailService
from innkeeper.network.models import IPAddress

EXAMPLE, EMPTY, CHARLIES, CAROLS, MUELLER = 7, 8, 9, 10, 11
FIRST_FREE_ID = 100
ALICE_GUID = "3b241101-e2bb-4255-8caf-4136c566a962"


def build() -> None:
    """Fill an empty database."""
    admin = account(1, "admin", Account.Kind.ADMINISTRATOR, None)
    address = IPAddress.objects.create(
        address="192.0.2.10", netmask="255.255.255.0", type="shared", interface="lo", is_default=True
    )
    rita = account(2, "rita", Account.Kind.RESELLER, admin)
    alice = account(3, "alice", Account.Kind.CUSTOMER, admin, guid=ALICE_GUID)
    charlie = account(4, "charlie", Account.Kind.CUSTOMER, admin)
    carol = account(5, "carol", Account.Kind.CUSTOMER, rita)
    webspace(EXAMPLE, "example.test", alice)
    webspace(EMPTY, "empty.test", alice)
    webspace(CHARLIES, "charlie.test", charlie)
    webspace(CAROLS, "carol.test", carol)
    webspace(MUELLER, "müller.test", alice, "xn--mller-kva.test")
    upload(admin, "admins-file", "plan.txt", b"Plan")
    upload(charlie, "charlies-file", "secret.txt", b"Secret")
    Webspace.objects.update(ipv4=address)
    event("mailname_create", 88, "alice", "192.0.2.77", 1769900000, 101)
    event("client_status_update", 3, "admin", "", 1769900060, 103)
    event("client_update", 3, "admin", "", 1769900059, None)
    EventNumber.objects.update_or_create(id=1, defaults={"last": 103})


def set_first_free_id() -> None:
    """A transaction that is rolled back gives no number of a sequence back; SQLite has none."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("accounts_account", "hosting_site"):
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, FIRST_FREE_ID])


def event(name: str, object_id: int, login: str, host: str, at: int, number: int | None) -> None:
    """An event of the past, dispatched if it has a number."""
    OutboxEvent.objects.create(
        at=datetime.fromtimestamp(at, UTC), event=name, object_type=EVENTS[name].object_type, object_id=object_id,
        login=login, address=host, parameters="{}", state="dispatched" if number else "pending", number=number,
    )  # fmt: skip


def upload(owner: Account, handle: str, name: str, content: bytes) -> None:
    """A file that the account sent ahead."""
    Upload.objects.create(
        handle=handle, owner_kind=owner.kind, owner_id=owner.pk, name=name, size=len(content),
        sha256=files.put(content), created_at=timezone.now(),
    )  # fmt: skip


def account(id_: int, login: str, kind: Account.Kind, owner: Account | None, guid: str | None = None) -> Account:
    """Somebody who can log in by key alone."""
    made = Account.objects.create(
        id=id_, login=login, kind=kind, owner=owner, password="", contact_name=login.title(),
        email=f"{login}@example.test", created_at=timezone.now(), guid=guid or new_guid(),
    )  # fmt: skip
    SecretKey.objects.create(
        account=made, key_hash=key_hash(f"{login}-key"), addresses="127.0.0.1", created_at=timezone.now()
    )
    return made


def webspace(id_: int, name: str, owner: Account, ascii_name: str = "") -> None:
    """A webspace with its main site and its mail, with GUIDs that end in the id."""
    ascii_name = ascii_name or name
    site = Site.objects.create(
        id=id_, name=name, ascii_name=ascii_name, guid=f"00000000-0000-4000-8000-{id_:012d}", created_at=timezone.now()
    )
    Webspace.objects.create(site=site, owner=owner, guid=f"00000000-0000-4000-9000-{id_:012d}")
    Site.objects.filter(pk=id_).update(webspace_id=id_)
    MailService.objects.create(site=site, domain_key=f"@{ascii_name}", bounce_address=f"site-{id_}@bounce.invalid")
