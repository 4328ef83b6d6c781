from django.apps import AppConfig


class PanelConfig(AppConfig):
    name = "innkeeper.doors.panel"
    label = "panel"
