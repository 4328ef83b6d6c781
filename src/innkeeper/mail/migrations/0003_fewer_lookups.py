"""Plain mailboxes get a view of their own, aliases a simpler one, and the outgoing limits those of site and webspace.

SQLite plans every look-up anew, and planning is what a look-up costs: each arm of a view counts.
"""

from importlib import import_module

from django.db import migrations

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

before = import_module("innkeeper.mail.migrations.0002_service_views")


def hourly(own: str, setting: str) -> str:
    """A limit of messages an hour: one's own, else the server's, else none (-1)."""
    default = f"SELECT CAST(t.value AS BIGINT) FROM core_setting t WHERE t.name = '{setting}'"
    return f"COALESCE({own}, ({default}), -1)"


OF_SITE = "CASE w.outgoing_limit WHEN 'default' THEN NULL ELSE CAST(w.outgoing_limit AS BIGINT) END"

VIEWS = before.VIEWS | {
    # Most addresses: a mailbox that passes nothing on. Asked first.
    "svc_mail_mailbox": (
        f"SELECT n.address AS address {before.MAIN} {before.SITE} WHERE n.kind = 'account'"
        f" AND a.mailbox_enabled AND NOT a.redirect_enabled AND NOT a.group_enabled AND {before.ACTIVE}"
    ),
    "svc_mail_alias": (
        # An alias leads to its account, and an account with storage to itself: the self row keeps a mailbox out of
        # its domain's catch-all, and a copy beside a redirect. An alias of an account that takes no mail is an unknown
        # address, too.
        "SELECT x.address AS source, n.address AS target FROM mail_mailname x"
        " JOIN mail_mailname n ON n.account_id = x.account_id AND n.kind = 'account'"
        f" JOIN mail_mailaccount a ON a.id = x.account_id {before.SITE}"
        f" WHERE (a.mailbox_enabled OR {before.ANSWERS}"
        f" OR (x.kind = 'alias' AND (a.redirect_enabled OR a.group_enabled))) AND {before.ACTIVE}"
        " UNION ALL "
        f"SELECT n.address AS source, r.address AS target {before.MAIN}"
        f" JOIN mail_recipient r ON r.account_id = a.id {before.SITE}"
        " WHERE n.kind = 'account' AND ((r.kind = 'redirect' AND a.redirect_enabled)"
        f" OR (r.kind = 'group' AND a.group_enabled)) AND {before.ACTIVE}"
    ),
    "svc_mail_outgoing": (
        "SELECT n.address AS login,"
        f" {hourly('a.outgoing_limit', 'outgoing_messages_mbox_limit')} AS messages_per_hour,"
        f" h.ascii_name AS site, {hourly(OF_SITE, 'outgoing_messages_domain_limit')} AS site_messages_per_hour,"
        " h.webspace_id AS webspace_id,"
        f" {hourly('NULL', 'outgoing_messages_subscription_limit')} AS webspace_messages_per_hour"
        f" {before.MAIN} JOIN hosting_site h ON h.id = n.site_id"
        " LEFT JOIN hosting_webspace w ON w.site_id = h.webspace_id WHERE n.kind = 'account'"
    ),
}


class Migration(migrations.Migration):
    dependencies = [
        ("mail", "0002_service_views"),
    ]

    operations = [DropServiceViews(), CreateServiceViews(VIEWS)]
