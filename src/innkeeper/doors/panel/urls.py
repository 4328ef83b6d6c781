"""The panel's pages, by path."""

from __future__ import annotations

from django.urls import path

from innkeeper.doors.panel.views import (
    event_handler,
    event_list,
    event_log,
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
    path("events/", event_list.handler_list, name="events"),
    path("events/bulk/", event_list.bulk, name="event-bulk"),
    path("events/choose/", event_handler.pick, name="event-pick"),
    path("events/new/", event_handler.create, name="event-create"),
    path("events/new/check/<slug:field>/", event_handler.check, name="event-check-new"),
    path("events/<int:number>/", event_handler.edit, name="event-edit"),
    path("events/<int:number>/choose/", event_handler.pick, name="event-repick"),
    path("events/<int:number>/check/<slug:field>/", event_handler.check, name="event-check"),
    path("events/<int:number>/test/", event_handler.test, name="event-test"),
    path("events/<int:number>/resume/", event_handler.resume, name="event-resume"),
    path("events/<int:number>/secret/", event_handler.new_secret, name="event-secret"),
    path("events/<int:number>/api/", event_handler.api, name="event-api"),
    path("events/<int:number>/replay/", event_log.replay_range, name="event-replay"),
    path("events/deliveries/", event_log.log, name="event-log"),
    path("events/deliveries/<int:number>/", event_log.delivery, name="event-delivery"),
    path("events/deliveries/<int:number>/replay/", event_log.again, name="event-again"),
    path("own/", own.home, name="own"),
    path("own/password/", own.password, name="own-password"),
    path("own/reply/", own.reply, name="own-reply"),
    path("own/forwarding/", own.forwarding, name="own-forwarding"),
    path("own/viruses/", own.viruses, name="own-viruses"),
    path("own/look/", own.look, name="own-look"),
]
