"""The permission to use the XML API, stored until now without effect, binds owners from the upgrade on."""

from typing import Any

from django.db import migrations


def settle(apps: Any, _schema_editor: Any) -> None:
    """Shut those customers out of whose webspaces none permits it."""
    webspaces = apps.get_model("hosting", "Webspace").objects
    closed = apps.get_model("hosting", "WebspacePermission").objects.filter(name="remote_access_interface", value=False)
    open_ones = webspaces.exclude(pk__in=closed.values("webspace"))
    owners = webspaces.filter(pk__in=closed.values("webspace")).exclude(owner__in=open_ones.values("owner"))
    accounts = apps.get_model("accounts", "Account").objects
    accounts.filter(kind="customer", pk__in=owners.values("owner")).update(may_use_api=False)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_latest_login"),
        ("hosting", "0004_site_name"),
    ]

    operations = [migrations.RunPython(settle, migrations.RunPython.noop)]
