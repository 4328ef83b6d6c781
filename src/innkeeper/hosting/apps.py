from django.apps import AppConfig


class HostingConfig(AppConfig):
    name = "innkeeper.hosting"
    default_auto_field = "django.db.models.BigAutoField"
