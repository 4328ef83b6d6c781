"""Sites are found by their names in Unicode too, quickly: mail programs log in with them."""

from importlib import import_module

from django.db import migrations, models

from innkeeper.core.svcviews import CreateServiceViews, DropServiceViews

views = import_module("innkeeper.mail.migrations.0004_kept_plans")


class Migration(migrations.Migration):
    dependencies = [
        ("hosting", "0003_file_work"),
        ("mail", "0004_kept_plans"),
    ]

    operations = [
        DropServiceViews(),
        migrations.AddIndex("site", models.Index(fields=["name"], name="site_name")),
        CreateServiceViews(views.VIEWS, views.KEYS),
    ]
