from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0002_delivery_indexes")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="note",
            field=models.TextField(blank=True, db_default="", default=""),
        )
    ]
