"""Makes a database ready for a benchmark; prints the secret key that it made. Run in a process of its own."""

from __future__ import annotations

import secrets

import django


def main() -> None:
    django.setup()

    from django.core.management import call_command
    from django.utils import timezone

    from innkeeper.accounts.models import Account, SecretKey
    from innkeeper.accounts.operations import create_administrator, key_hash
    from innkeeper.hosting.models import Site, Webspace
    from innkeeper.mail.models import MailService

    call_command("migrate", verbosity=0, interactive=False)
    create_administrator(secrets.token_hex(16))
    administrator = Account.objects.get(pk=1)
    now = timezone.now()
    for number, name in enumerate(("bench.test", "other.test"), start=1):
        site = Site.objects.create(name=name, ascii_name=name, created_at=now)
        webspace = Webspace.objects.create(site=site, owner=administrator)
        Site.objects.filter(pk=site.pk).update(webspace=webspace)
        MailService.objects.create(site=site, domain_key=f"@{name}", bounce_address=f"site-{number}@bounce.invalid")
    key = secrets.token_hex(16)
    SecretKey.objects.create(key_hash=key_hash(key), account=administrator, addresses="127.0.0.1", created_at=now)
    print(key)
