"""A large server's rows, made by set statements: what look-ups, list pages and deliveries are measured on.

Sites are called `siteN.test` (from id FIRST_SITE on), their accounts `uN`, where N counts accounts from 1; each site has the
same number. Every account has a mailbox; every hundredth an alias `aN`, a redirect and an automatic reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FIRST_SITE = 1001
"""Sites below were made by hand."""


def populate(cursor: Any, vendor: str, *, sites: int, accounts: int, password: str) -> None:
    """Insert the rows. `cursor` is a Django cursor inside a transaction; the administrator exists.

    `password` is the stored hash that every account gets.
    """
    now = "2026-01-01 00:00:00+00" if vendor == "postgresql" else "2026-01-01 00:00:00"
    truth, lie = ("true", "false") if vendor == "postgresql" else ("1", "0")
    each = accounts // sites
    first = FIRST_SITE

    def series(start: int, stop: int) -> str:
        if vendor == "postgresql":
            return f"(SELECT n FROM generate_series({start}, {stop}) AS g(n)) AS series"
        return (
            f"(WITH RECURSIVE g(n) AS (SELECT {start} UNION ALL SELECT n + 1 FROM g WHERE n < {stop}) SELECT n FROM g)"
            " AS series"
        )

    def number(offset: str = "0") -> str:
        return f"CAST(n + {offset} AS TEXT)"

    site_id = f"({first} + (n - 1) / {each})"
    site_name = f"'site' || CAST({site_id} AS TEXT) || '.test'"
    statements = [
        "INSERT INTO hosting_site (id, guid, name, ascii_name, status, turn_off_action, hosting_type, forwarding_url,"
        " www, bandwidth, max_connections, description, used_bytes, created_at)"
        f" SELECT n, 'site-' || {number()}, 'site' || {number()} || '.test', 'site' || {number()} || '.test', 0, '', 'none', '',"
        f" {truth}, -1, -1, '', 0, '{now}' FROM {series(first, first + sites - 1)}",
        "INSERT INTO hosting_webspace (site_id, guid, owner_id, ftp_password, overuse, admin_description,"
        " reseller_description, outgoing_limit)"
        f" SELECT n, 'webspace-' || {number()}, (SELECT id FROM accounts_account WHERE kind = 'admin'), '', 'block', '', '',"
        f" 'default' FROM {series(first, first + sites - 1)}",
        f"UPDATE hosting_site SET webspace_id = id WHERE id >= {first}",
        "INSERT INTO mail_mailservice (site_id, domain_key, bounce_address, enabled, unknown_action, bounce_text,"
        " forward_address, webmail, sign_outgoing, greylisting, webmail_certificate)"
        f" SELECT n, '@site' || {number()} || '.test', 'site-' || {number()} || '@bounce.invalid', {truth},"
        " CASE n % 3 WHEN 0 THEN 'reject' WHEN 1 THEN 'bounce' ELSE 'forward' END, 'Nobody of this name.',"
        f" 'u1@site{first}.test', 'none', {lie}, {lie}, '' FROM {series(first, first + sites - 1)}",
        "INSERT INTO mail_mailaccount (id, guid, site_id, storage, password, mailbox_enabled, quota, redirect_enabled,"
        " group_enabled, autoresponders_enabled, cp_access, cp_options, permissions, antivir, user_guid, description,"
        " color_scheme, used_bytes, created_at)"
        f" SELECT 1000000000 + n, 'account-' || {number()}, {site_id}, 'storage' || {number('1000000000000000000')}, %s, {truth}, -1,"
        f" n % 100 = 0, {lie}, {lie}, {lie}, '{{}}', '{{}}', 'off', '', '', 'auto', (CAST(n AS BIGINT) * 7919) % 100000, '{now}' FROM {series(1, accounts)}",
        "INSERT INTO mail_mailname (site_id, local_part, address, kind, account_id)"
        f" SELECT {site_id}, 'u' || {number()}, 'u' || {number()} || '@' || {site_name}, 'account', 1000000000 + n FROM {series(1, accounts)}",
        "INSERT INTO mail_mailname (site_id, local_part, address, kind, account_id)"
        f" SELECT {site_id}, 'a' || {number()}, 'a' || {number()} || '@' || {site_name}, 'alias', 1000000000 + n"
        f" FROM {series(1, accounts)} WHERE n % 100 = 0",
        "INSERT INTO mail_recipient (account_id, kind, address)"
        f" SELECT 1000000000 + n, 'redirect', 'u1@site{first}.test' FROM {series(1, accounts)} WHERE n % 100 = 0",
        "INSERT INTO mail_sievescript (account_id, revision, active, script)"
        f" SELECT 1000000000 + n, 1, {truth}, 'keep;' FROM {series(1, accounts)} WHERE n % 100 = 0",
    ]
    with _references_checked_at_the_end(cursor, vendor):
        for statement in statements:
            if "%s" in statement:
                cursor.execute(statement.replace("%", "%%").replace("%%s", "%s"), [password])
            else:
                cursor.execute(statement)
    cursor.execute("ANALYZE")


@contextmanager
def _references_checked_at_the_end(cursor: Any, vendor: str) -> Iterator[None]:
    """PostgreSQL keeps in mind for each row that its references are to be checked, and does that one by one."""
    if vendor != "postgresql":
        yield
        return
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table of which something is kept in mind is not altered
    cursor.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid::regclass::text ~ '^(hosting|mail)_'"
    )
    references = cursor.fetchall()
    for table, name, _ in references:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    for table, name, definition in references:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
