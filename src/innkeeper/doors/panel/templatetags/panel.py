"""What templates need to write: icons, sizes, times and states."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from innkeeper.doors.panel.units import size_text
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import DeliveryState, EventHandler
from innkeeper.mail.listing import State

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon of the sprite; the words beside it say what it means."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("panel/vendor/icons.svg"),
        name,
    )


@register.filter
def size(value: int | None) -> str:
    """A number of bytes in the unit that reads best."""
    return "" if value is None else size_text(value)


@register.filter
def share(used: int, quota: int) -> int:
    """How many percent of a quota are used, 0 to 100."""
    if quota <= 0:
        return 0 if quota < 0 or not used else 100
    return min(100, used * 100 // quota)


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago something was, in words; older than a month the date."""
    if moment is None:
        return _("Never")
    seconds = int((timezone.now() - moment).total_seconds())
    if seconds < 60:
        return _("Just now")
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours == 0:
        return ngettext("{n} minute ago", "{n} minutes ago", minutes).format(n=minutes)
    if days == 0:
        return ngettext("{n} hour ago", "{n} hours ago", hours).format(n=hours)
    if days < 30:
        return ngettext("{n} day ago", "{n} days ago", days).format(n=days)
    return formats.date_format(moment, "DATE_FORMAT")


_STATES: dict[State, tuple[str, str, Any]] = {
    State.SITE_SUSPENDED: ("is-error", "slash-circle", lambda: _("Site suspended")),
    State.SERVICE_OFF: ("is-error", "slash-circle", lambda: _("Mail service off")),
    State.FULL: ("is-error", "exclamation-triangle-fill", lambda: _("Mailbox full")),
    State.NEARLY_FULL: ("is-warning", "exclamation-triangle-fill", lambda: _("Nearly full")),
    State.SUSPENDED: ("is-warning", "pause-circle", lambda: _("Suspended")),
    State.NO_PASSWORD: ("is-warning", "key", lambda: _("No password")),
    State.NEVER_USED: ("", "clock", lambda: _("Never logged in")),
    State.FORWARDING: ("", "forward", lambda: _("Forwards only")),
    State.ACTIVE: ("is-good", "check-circle-fill", lambda: _("Active")),
}


@register.simple_tag
def state(value: State) -> SafeString:
    """The state of a mail account as icon and words."""
    look, name, words = _STATES[value]
    return format_html('<span class="state {}">{}{}</span>', look, icon(name), words())


_DELIVERY_STATES: dict[str, tuple[str, str, Any]] = {
    DeliveryState.WAITING: ("", "clock", lambda: _("Waiting")),
    DeliveryState.RUNNING: ("", "play-circle", lambda: _("Running")),
    DeliveryState.RETRY: ("is-warning", "arrow-repeat", lambda: _("Failed, tried again")),
    DeliveryState.DONE: ("is-good", "check-circle-fill", lambda: _("Delivered")),
    DeliveryState.DEAD: ("is-error", "exclamation-triangle-fill", lambda: _("Given up")),
    DeliveryState.CANCELLED: ("", "slash-circle", lambda: _("Cancelled")),
}


def delivery_words(value: str) -> str:
    """The state of a delivery in words."""
    return str(_DELIVERY_STATES[value][2]())


@register.simple_tag
def delivery_state(value: str) -> SafeString:
    """The state of a delivery as icon and words."""
    look, name, words = _DELIVERY_STATES[value]
    return format_html('<span class="state {}">{}{}</span>', look, icon(name), words())


@register.simple_tag
def last_result(handler: EventHandler) -> SafeString:
    """What came of a handler's last attempt, and when it was."""
    if handler.last_at is None:
        return format_html('<span class="soft">{}</span>', _("Nothing yet"))
    if handler.last_state == DeliveryState.DONE:
        look, name, words = "is-good", "check-circle-fill", _("Delivered")
    else:
        look, name, words = "is-error", "exclamation-triangle-fill", _("Failed")
    return format_html(
        '<span class="state {}">{}{}</span> <span class="soft">{}</span>', look, icon(name), words, ago(handler.last_at)
    )


@register.simple_tag
def handler_state(handler: EventHandler) -> SafeString:
    """Whether a handler is given events, as icon and words."""
    if handler.paused_at is not None:
        look, name, words = "is-error", "exclamation-triangle-fill", _("Paused")
    elif handler.enabled:
        look, name, words = "is-good", "check-circle-fill", _("On")
    else:
        look, name, words = "", "pause-circle", _("Off")
    return format_html('<span class="state {}">{}{}</span>', look, icon(name), words)


@register.simple_tag
def handler_rate(handler: EventHandler) -> str:
    """How many of a handler's attempts went well."""
    total = handler.delivered_count + handler.failed_count
    if not total:
        return ""
    # Rounded down: 100 % is said only when nothing failed.
    return _("{percent}% of {n}").format(
        percent=handler.delivered_count * 100 // total, n=formats.number_format(total, force_grouping=True)
    )


@register.filter
def event_words(name: str) -> str:
    """What an event says, by its name."""
    return EVENTS[name].description if name in EVENTS else name


@register.filter
def duration(milliseconds: int | None) -> str:
    """How long something took."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return _("{n} ms").format(n=milliseconds)
    return _("{n} s").format(n=formats.number_format(milliseconds / 1000, 1))


@register.filter
def described(field: BoundField, look: str = "form-control") -> SafeString:
    """A form's field with our look, tied to its help and its error for those who hear the page."""
    ids = []
    if field.help_text:
        ids.append(f"{field.auto_id}_help")
    attributes: dict[str, Any] = {"class": look}
    if field.errors:
        attributes["class"] += " is-invalid"
        attributes["aria-invalid"] = "true"
        ids.append(f"{field.auto_id}_error")
    if ids:
        attributes["aria-describedby"] = " ".join(ids)
    return field.as_widget(attrs=attributes)


@register.simple_tag
def usage(used: int, quota: int) -> SafeString:
    """Used space in words, with a bar where there is a quota."""
    if quota < 0:
        return format_html('<span class="usage"><span class="words">{}</span></span>', size_text(used))
    percent = share(used, quota)
    look = "is-error" if used >= quota else "is-warning" if percent >= 90 else ""
    words = _("{used} of {quota}").format(used=size_text(used), quota=size_text(quota))
    return format_html(
        '<span class="usage"><span class="words">{}</span><svg class="meter {}" aria-hidden="true" focusable="false"'
        ' preserveAspectRatio="none" viewBox="0 0 100 1"><rect width="{}" height="1" fill="currentColor"></rect></svg>'
        "</span>",
        words,
        look,
        percent,
    )
