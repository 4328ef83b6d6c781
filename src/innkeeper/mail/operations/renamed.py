"""Rings that a site's new name would close.

While the name was nobody's, forwarding to addresses under it led out of the server and was accepted.
"""

from __future__ import annotations

from django.db import connection

from innkeeper.core.actor import Actor
from innkeeper.core.db.sets import among
from innkeeper.mail.operations.rings import Forwarding
from innkeeper.mail.operations.site import find_sites
from innkeeper.mail.operations.state import load

_FORWARDED = (
    "SELECT address FROM mail_recipient WHERE address LIKE %s"
    " UNION SELECT forward FROM mail_autoresponder WHERE forward LIKE %s"
    " UNION SELECT forward_address FROM mail_mailservice WHERE forward_address LIKE %s"
)


def forwarded_to_domain(actor: Actor, domain: str) -> set[str]:
    """The addresses under a domain, still nobody's, that accounts of this server forward to.

    Reads whole tables: sites are renamed seldom. Keeps others from adding such forwarding until the transaction ends.
    """
    Forwarding(actor, [f"@{domain}"])  # for its lock
    with connection.cursor() as cursor:
        cursor.execute(_FORWARDED, [f"%@{domain}"] * 3)
        return {str(row[0]).lower() for row in cursor.fetchall()}


def refuse_rings(actor: Actor, site_id: int, forwarded: set[str]) -> None:
    """Refuse a site's new name, already stored, if mail for one of the addresses would come back to it.

    `forwarded` is what `forwarded_to_domain` gave before. Raises InvalidValue, which names the ring.
    """
    if not forwarded:
        return
    (site,) = find_sites([site_id])
    # With a tag, an address is its account's all the same.
    locals_ = sorted({address.partition("@")[0].partition("+")[0] for address in forwarded})
    condition, parameter = among("n.local_part", locals_)
    holders = (
        "EXISTS (SELECT 1 FROM mail_mailname x WHERE x.account_id = a.id AND x.site_id = %s AND "
        + condition.replace("n.", "x.")
        + ")"
    )
    states = load(f"n.site_id = %s AND {holders}", [site.id, site.id, parameter], replies=True)
    forwarding = Forwarding(actor, [target for state in states for target in state.targets()])
    for state in states:
        forwarding.check(site, None, state)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT forward_address FROM mail_mailservice WHERE site_id = %s AND unknown_action = 'forward'", [site.id]
        )
        for (target,) in cursor.fetchall():
            Forwarding(actor, [target]).check_catchall(site.domain, target)
