"""On PostgreSQL a delivery asks for the script of an automatic reply by functions, too."""

from importlib import import_module

from django.db import migrations

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

before = import_module("innkeeper.mail.migrations.0005_international_logins")

VIEWS = before.VIEWS
KEYS = before.KEYS | {"svc_mail_sieve_name": "username", "svc_mail_sieve_data": "username"}


class Migration(migrations.Migration):
    dependencies = [
        ("mail", "0005_international_logins"),
    ]

    operations = [DropServiceViews(), CreateServiceViews(VIEWS, KEYS)]
