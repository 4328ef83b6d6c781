"""Mail programs may log in with the domain as its owner writes it."""

from importlib import import_module

from django.db import migrations

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

before = import_module("innkeeper.mail.migrations.0004_kept_plans")

VIEWS = before.VIEWS | {
    "svc_mail_international": "SELECT h.name AS name, h.ascii_name AS ascii_name FROM hosting_site h"
    " WHERE h.name <> h.ascii_name"
}
KEYS = before.KEYS | {"svc_mail_international": "name"}


class Migration(migrations.Migration):
    dependencies = [
        ("hosting", "0004_site_name"),
        ("mail", "0004_kept_plans"),
    ]

    operations = [DropServiceViews(), CreateServiceViews(VIEWS, KEYS)]
