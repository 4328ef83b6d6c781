"""On PostgreSQL a look-up is a function, whose plan is kept; a delivery and a question about room ask one view each."""

from importlib import import_module

from django.db import migrations

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

first = import_module("innkeeper.mail.migrations.0002_service_views")
before = import_module("innkeeper.mail.migrations.0003_fewer_lookups")

VIEWS = before.VIEWS | {
    # Most addresses: a mailbox that passes nothing on. Asked first.
    "svc_mail_mailbox": (
        f"SELECT n.address AS address, {first.QUOTA} AS quota_rule {first.MAIN} {first.SITE} WHERE n.kind = 'account'"
        f" AND a.mailbox_enabled AND NOT a.redirect_enabled AND NOT a.group_enabled AND {first.ACTIVE}"
    ),
    # Whoever takes mail, with the script of the automatic reply if there is one.
    "svc_mail_user": (
        f"SELECT n.address AS username, {first.HOME} AS home, {first.QUOTA} AS quota_rule, c.script AS script"
        f" {first.MAIN} {first.SITE} LEFT JOIN mail_sievescript c ON c.account_id = a.id AND c.active"
        f" WHERE n.kind = 'account' AND (a.mailbox_enabled OR c.active) AND {first.ACTIVE}"
    ),
}

KEYS = {
    "svc_mail_domain": "name",
    "svc_mail_recipient": "address",
    "svc_mail_mailbox": "address",
    "svc_mail_alias": "source",
    "svc_mail_catchall": "source",
    "svc_mail_bounce": "source",
    "svc_mail_transport": "address",
    "svc_mail_sender": "sender",
    "svc_mail_login": "username",
    "svc_mail_user": "username",
    "svc_mail_outgoing": "login",
}


class Migration(migrations.Migration):
    dependencies = [
        ("mail", "0003_fewer_lookups"),
    ]

    operations = [DropServiceViews(), CreateServiceViews(VIEWS, KEYS)]
