"""People, sites and accounts for tests: Alice owns the site, Bob works for her, Charlie is a stranger.

Rows are written directly, so that a test of one door does not depend on the operations of another domain.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.passwords import hash_login, hash_mail
from innkeeper.hosting.models import Site, Webspace
from innkeeper.mail.models import MailAccount, MailName, MailService

PASSWORD = "Bread-4-All"


@cache
def login_hash() -> str:
    return hash_login(PASSWORD)


@cache
def mail_hash() -> str:
    return hash_mail(PASSWORD)


def make_account(login: str, kind: str = "customer", **values: Any) -> Account:
    return Account.objects.create(
        login=login,
        kind=kind,
        password=login_hash(),
        contact_name=values.pop("contact_name", login.title()),
        created_at=timezone.now(),
        **values,
    )


def make_site(owner: Account, name: str, **values: Any) -> Site:
    ascii_name = name.encode("idna").decode()
    site = Site.objects.create(name=name, ascii_name=ascii_name, created_at=timezone.now(), **values)
    webspace = Webspace.objects.create(site=site, owner=owner)
    site.webspace = webspace
    site.save()
    MailService.objects.create(site=site, domain_key=f"@{ascii_name}", bounce_address=f"site-{site.pk}@bounce.invalid")
    return site


def make_mailbox(site: Site, name: str, **values: Any) -> MailAccount:
    values = {"mailbox_enabled": True, "password": mail_hash()} | values
    account = MailAccount.objects.create(
        site=site, guid=f"00000000-0000-4000-8000-{MailAccount.objects.count() + 1:012d}",
        created_at=timezone.now(), **values,
    )  # fmt: skip
    MailName.objects.create(
        site=site, local_part=name, address=f"{name}@{site.ascii_name}", kind="account", account=account
    )
    return account


def make_many_mailboxes(site: Site, count: int, prefix: str = "user") -> None:
    """So many accounts with spread-out sizes and log-ins, by two set statements."""
    first = (MailAccount.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1
    lite = connection.vendor == "sqlite"
    login = (
        "strftime('%Y-%m-%d %H:%M:%S', '2026-06-01', '-' || (n % 50000) || ' minutes')"
        if lite
        else "TIMESTAMPTZ '2026-06-01' - (n % 50000) * INTERVAL '1 minute'"
    )
    text = "printf('%06d', n)" if lite else "lpad(n::text, 6, '0')"
    numbers = f"WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {first + count})"
    account = {
        "id": "n", "guid": f"'10000000-0000-4000-8000-000000' || {text}", "site_id": str(site.pk),
        "storage": f"'many' || {text}", "password": "'{BLF-CRYPT}none'", "mailbox_enabled": "n % 17 <> 0",
        "quota": "CASE WHEN n % 5 = 0 THEN -1 ELSE 1073741824 END",
        "used_bytes": "(CAST(n AS BIGINT) * 32436224) % 1073741824",
        "last_login_at": f"CASE WHEN n % 3 = 0 THEN NULL ELSE {login} END",
        "created_at": "'2026-01-01 00:00:00'" if lite else "TIMESTAMPTZ '2026-01-01'",
        "redirect_enabled": "FALSE", "group_enabled": "FALSE", "autoresponders_enabled": "FALSE",
        "cp_access": "FALSE", "cp_options": "'{}'", "permissions": "'{}'", "antivir": "'off'", "user_guid": "''",
        "description": "''", "color_scheme": "'auto'",
    }  # fmt: skip
    name = {
        "site_id": str(site.pk), "local_part": f"'{prefix}' || {text}",
        "address": f"'{prefix}' || {text} || '@{site.ascii_name}'", "kind": "'account'", "account_id": "n",
    }  # fmt: skip
    with connection.cursor() as cursor:
        for table, values in (("mail_mailaccount", account), ("mail_mailname", name)):
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(values)}) {numbers} SELECT {', '.join(values.values())} FROM s"
            )
        if not lite:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence('mail_mailaccount', 'id'), max(id)) FROM mail_mailaccount"
            )
            # Foreign keys are checked by plans made while the tables were empty, which scan, until this.
            cursor.execute("ANALYZE mail_mailaccount, mail_mailname, hosting_site, accounts_account")
