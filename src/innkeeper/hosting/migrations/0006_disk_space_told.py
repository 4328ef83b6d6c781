"""Webspaces remember of which limit of disk space it was told that use reached it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hosting", "0005_api_access"),
    ]

    operations = [
        migrations.AddField("webspacelimit", "told", models.BigIntegerField(null=True)),
    ]
