"""The panel's pages, by path."""

from __future__ import annotations

from django.urls import path

from innkeeper.doors.panel.views import (
    health,
    mail_account,
    mail_bulk,
    mail_export,
    mail_list,
    own,
    removed,
    session,
    settings,
)

app_name = "panel"

urlpatterns = [
    path("", session.home, name="home"),
    path("login/", session.log_in, name="login"),
    path("logout/", session.log_out, name="logout"),
    path("settings/", settings.settings, name="settings"),
    path("settings/password/", settings.password, name="password"),
    path("health/", health.health, name="health"),
    path("mail/", mail_list.account_list, name="mail"),
    path("mail/export.csv", mail_export.export, name="mail-export"),
    path("mail/bulk/", mail_bulk.bulk, name="mail-bulk"),
    path("mail/new/", mail_account.create, name="mail-create"),
    path("mail/new/check/<slug:field>/", mail_account.check_new, name="mail-check-new"),
    path("mail/undo/", mail_account.undo, name="mail-undo"),
    path("mail/removed/", removed.removed_list, name="removed"),
    path("mail/removed/restore/", removed.restore, name="restore"),
    path("mail/<int:number>/", mail_account.edit, name="mail-edit"),
    path("mail/<int:number>/check/<slug:field>/", mail_account.check_change, name="mail-check"),
    path("mail/<int:number>/rename/", mail_account.rename, name="mail-rename"),
    path("mail/<int:number>/remove/", mail_account.remove, name="mail-remove"),
    path("mail/<int:number>/api/", mail_account.api, name="mail-api"),
    path("own/", own.home, name="own"),
    path("own/password/", own.password, name="own-password"),
    path("own/reply/", own.reply, name="own-reply"),
    path("own/forwarding/", own.forwarding, name="own-forwarding"),
    path("own/viruses/", own.viruses, name="own-viruses"),
    path("own/look/", own.look, name="own-look"),
]
