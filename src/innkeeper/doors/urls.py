"""What the panel's own server answers, by path."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("", include("innkeeper.doors.panel.urls"))]

handler400 = "innkeeper.doors.panel.views.errors.bad_request"
handler403 = "innkeeper.doors.panel.views.errors.refused"
handler404 = "innkeeper.doors.panel.views.errors.not_found"
handler500 = "innkeeper.doors.panel.views.errors.broken"
