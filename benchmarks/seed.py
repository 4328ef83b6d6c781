"""Makes a database ready for a benchmark; prints the administrator's password and secret key.

Run in a process of its own. `SITES` and `ACCOUNTS` in the environment ask for a large population beside.
"""

from __future__ import annotations

import os
import secrets

import django


def main() -> None:
    django.setup()

    from django.core.management import call_command
    from django.db import connection, transaction
    from django.utils import timezone

    from benchmarks.population import populate
    from innkeeper.accounts.authentication import key_hash
    from innkeeper.accounts.models import Account, SecretKey
    from innkeeper.accounts.operations import create_administrator
    from innkeeper.core.passwords import hash_mail
    from innkeeper.hosting.models import Site, Webspace
    from innkeeper.mail.models import MailService

    call_command("migrate", verbosity=0, interactive=False)
    password = secrets.token_hex(16)
    create_administrator(password)
    administrator = Account.objects.get(pk=1)
    now = timezone.now()
    for number, name in enumerate(("bench.test", "other.test"), start=1):
        site = Site.objects.create(name=name, ascii_name=name, created_at=now)
        webspace = Webspace.objects.create(site=site, owner=administrator)
        Site.objects.filter(pk=site.pk).update(webspace=webspace)
        MailService.objects.create(site=site, domain_key=f"@{name}", bounce_address=f"site-{number}@bounce.invalid")
    key = secrets.token_hex(16)
    SecretKey.objects.create(key_hash=key_hash(key), account=administrator, addresses="127.0.0.1", created_at=now)
    if accounts := int(os.environ.get("ACCOUNTS", "0")):
        with transaction.atomic(), connection.cursor() as cursor:
            populate(
                cursor,
                connection.vendor,
                sites=int(os.environ["SITES"]),
                accounts=accounts,
                password=hash_mail(os.environ.get("MAIL_PASSWORD", password)),
            )
    print(password, key)
