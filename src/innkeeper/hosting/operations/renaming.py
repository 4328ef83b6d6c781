"""A site's new name, and everything that repeats it."""

from __future__ import annotations

from django.db import IntegrityError, connection

from innkeeper.core import names
from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists
from innkeeper.hosting.models import Site
from innkeeper.hosting.operations.settings import PLACED
from innkeeper.hosting.operations.status import end_sessions
from innkeeper.jobs.effects import place_hosting
from innkeeper.mail.operations import forwarded_to_domain, move_site_graves, refresh_site_replies, refuse_rings

# Addresses repeat the domain so that look-ups need no join; set statements, a site may have 100,000 accounts.
# What points at the addresses comes first: it is found through the old ones.
_RECIPIENTS = """
UPDATE mail_recipient SET address =
  (SELECT n.local_part FROM mail_mailname n WHERE n.address = mail_recipient.address) || %s
WHERE address IN (SELECT n.address FROM mail_mailname n WHERE n.site_id = %s)
AND NOT EXISTS (SELECT 1 FROM mail_recipient r JOIN mail_mailname n ON n.address = mail_recipient.address
  WHERE r.account_id = mail_recipient.account_id AND r.kind = mail_recipient.kind
  AND r.address = n.local_part || %s)"""
_FORWARDS = """
UPDATE mail_mailservice SET forward_address =
  (SELECT n.local_part FROM mail_mailname n WHERE n.address = mail_mailservice.forward_address) || %s
WHERE forward_address IN (SELECT n.address FROM mail_mailname n WHERE n.site_id = %s)"""
_NAMES = "UPDATE mail_mailname SET address = local_part || %s WHERE site_id = %s"
_SERVICE = "UPDATE mail_mailservice SET domain_key = %s WHERE site_id = %s"


def rename_site(actor: Actor, site: Site, name: str, ascii_name: str) -> None:
    """Give a stored site a new name, inside the caller's operation; its subdomains follow.

    Mail accounts keep everything, under their new addresses; who passes mail on to them follows, too. Their open
    sessions end, because those are known by the old addresses. Raises AlreadyExists, and InvalidValue where mail would
    go round in a ring.
    """
    if (name, ascii_name) == (site.name, site.ascii_name):
        return
    subdomains = list(Site.objects.filter(parent=site))
    old_name, old_ascii_name = site.name, site.ascii_name
    forwarded: set[str] = set()
    if ascii_name != old_ascii_name:
        forwarded = forwarded_to_domain(actor, ascii_name)
        _rename_addresses(site, ascii_name)
    site.name, site.ascii_name = name, ascii_name
    try:
        site.save(update_fields=["name", "ascii_name"])
    except IntegrityError as error:
        raise AlreadyExists(f"Domain {name} already exists.", field="name") from error
    if ascii_name != old_ascii_name:
        if site.webspace_id is not None and site.hosting_type in PLACED:
            place_hosting(site.webspace_id)
        refresh_site_replies(site.pk)
        move_site_graves(site.pk, old_ascii_name, ascii_name)
        refuse_rings(actor, site.pk, forwarded)
    for subdomain in subdomains:
        if subdomain.name.endswith(f".{old_name}"):
            rename_site(actor, subdomain, *names.domain(f"{subdomain.name.removesuffix(old_name)}{name}"))


def _rename_addresses(site: Site, ascii_name: str) -> None:
    if Site.objects.filter(ascii_name=ascii_name).exclude(pk=site.pk).exists():  # a subdomain's new name may be taken
        raise AlreadyExists(f"Domain {ascii_name} already exists.", field="name")
    end_sessions([site.pk])
    key = f"@{ascii_name}"
    with connection.cursor() as cursor:
        cursor.execute(_RECIPIENTS, [key, site.pk, key])
        cursor.execute(_FORWARDS, [key, site.pk])
        cursor.execute(_NAMES, [key, site.pk])
        cursor.execute(_SERVICE, [key, site.pk])
