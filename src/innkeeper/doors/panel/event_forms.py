"""Forms of event handlers: from what people type to requests of the operations of events, and from refusals to fields.

Forms read values and nothing more; whether a value is allowed is for the operation to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.events.command import LONGEST
from innkeeper.events.models import DEFAULT_PRIORITY, PRIORITIES, EventHandler, HandlerKind
from innkeeper.events.operations import LIMITS, HandlerChanges, NewHandler, Replay

OTHER = "other"
KINDS = [
    (HandlerKind.COMMAND.value, gettext_lazy("A command on this server")),
    (HandlerKind.WEBHOOK.value, gettext_lazy("A request to a web server")),
]
_PRESET_WORDS = {
    "lowest": gettext_lazy("Lowest"),
    "low": gettext_lazy("Low"),
    "normal": gettext_lazy("Normal"),
    "high": gettext_lazy("High"),
    "highest": gettext_lazy("Highest"),
}
_LIMIT_LABELS = {
    "timeout_s": gettext_lazy("Time, in seconds"),
    "memory_mb": gettext_lazy("Memory, in megabytes"),
    "output_kb": gettext_lazy("Captured output, in kilobytes"),
    "open_files": gettext_lazy("Open files"),
}


def add_refusal(form: forms.Form, refusal: Refused) -> None:
    """Put a refusal beside the field that it speaks of, or above the form."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal_text(refusal))


def _number(**options: Any) -> forms.IntegerField:
    widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": "12"})
    return forms.IntegerField(widget=widget, **options)


class HandlerForm(forms.Form):
    """A handler of one event, which is chosen before."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=KINDS, initial=HandlerKind.COMMAND.value, widget=forms.RadioSelect
    )
    user = forms.CharField(label=gettext_lazy("System user"), required=False, max_length=64)
    command = forms.CharField(
        label=gettext_lazy("Command"),
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(
            attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
        ),
    )
    url = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        max_length=4_096,
        help_text=gettext_lazy("Events are sent there by POST, signed. Only https is used."),
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off", "spellcheck": "false"}),
    )
    allow_private = forms.BooleanField(
        label=gettext_lazy("Allow private addresses"),
        required=False,
        help_text=gettext_lazy("Only for a receiver in your own network, which this server could reach for others."),
    )
    preset = forms.ChoiceField(
        label=gettext_lazy("Priority"), required=False, initial=str(DEFAULT_PRIORITY), widget=forms.RadioSelect
    )
    priority = _number(
        label=gettext_lazy("Own priority"),
        required=False,
        initial=DEFAULT_PRIORITY,
        help_text=gettext_lazy("Any whole number. Of several handlers of an event the higher runs first."),
    )
    pass_secrets = forms.BooleanField(
        label=gettext_lazy("Pass passwords"),
        required=False,
        help_text=gettext_lazy(
            "A new password reaches a command in a variable, never as an argument, and a web server in the document."
            " It is kept sealed until the delivery, and erased after it."
        ),
    )
    enabled = forms.BooleanField(label=gettext_lazy("Switched on"), required=False, initial=True)
    timeout_s = _number(label=_LIMIT_LABELS["timeout_s"])
    memory_mb = _number(label=_LIMIT_LABELS["memory_mb"])
    output_kb = _number(label=_LIMIT_LABELS["output_kb"])
    open_files = _number(label=_LIMIT_LABELS["open_files"])

    def __init__(self, *args: Any, users: Sequence[str], fixed_kind: str = "", **kwargs: Any) -> None:
        """`users` are the system users to choose from; without any the name is typed, and refused with the reason.

        A stored handler keeps its kind.
        """
        super().__init__(*args, **kwargs)
        self.fixed_kind = fixed_kind
        if fixed_kind:
            del self.fields["kind"]
        presets = [(str(value), f"{_PRESET_WORDS[name]} ({value})") for name, value in PRIORITIES.items()]
        self._choices("preset").choices = [*presets, (OTHER, _("Other"))]
        for name, limit in LIMITS.items():
            field = self.fields[name]
            field.initial = limit.default
            field.help_text = _("{least} to {most}").format(least=limit.least, most=limit.most)
        self.fields["user"].help_text = _(
            "Nobody can be offered: no user is allowed yet, or the service that knows them does not answer."
        )
        if users:
            stored = self.initial.get("user", "")
            extra = [] if not stored or stored in users else [(stored, _("{user} (no longer allowed)"))]
            choices = [*((user, user) for user in users), *((user, text.format(user=user)) for user, text in extra)]
            self.fields["user"] = forms.ChoiceField(
                label=self.fields["user"].label, choices=choices, required=False, help_text=_user_help()
            )

    def _choices(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        return field

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        preset = values.get("preset") or str(DEFAULT_PRIORITY)
        if preset != OTHER:
            values["priority"] = int(preset)
        elif "priority" in values and values["priority"] is None:
            self.add_error("priority", _("Give a whole number; the higher runs first."))
        return values

    @property
    def chosen_kind(self) -> str:
        return self.fixed_kind or str(self.cleaned_data["kind"])

    def _target(self) -> dict[str, Any]:
        """What the chosen kind of handler has, and nothing of the other kind."""
        values = self.cleaned_data
        if self.chosen_kind == HandlerKind.WEBHOOK:
            return {"url": values["url"].strip(), "allow_private": values["allow_private"]}
        return {"user": values["user"], "command": values["command"]}

    def _rest(self) -> dict[str, Any]:
        names = ("priority", "pass_secrets", "enabled", *LIMITS)
        return {name: self.cleaned_data[name] for name in names}

    def new_handler(self, event: str) -> NewHandler:
        """The request that this form makes for a new handler of the event."""
        return NewHandler(event, self.chosen_kind, **self._target(), **self._rest())

    def changes(self, event: str) -> HandlerChanges:
        """The request that this form makes for a stored handler."""
        return HandlerChanges(event=event, **self._target(), **self._rest())


def _user_help() -> str:
    return _("The command runs as this user. Root decides in a file of the server who may be chosen.")


def initial_of(handler: EventHandler) -> dict[str, Any]:
    """What the form shows of a stored handler."""
    names = ("kind", "user", "command", "url", "allow_private", "priority", "pass_secrets", "enabled", *LIMITS)
    values = {name: getattr(handler, name) for name in names}
    is_preset = handler.priority in PRIORITIES.values()
    return values | {"preset": str(handler.priority) if is_preset else OTHER}


def _moment(**options: Any) -> forms.DateTimeField:
    """A time of the server's zone, as browsers send it and as people type it without one."""
    return forms.DateTimeField(
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": "1"}),
        input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        **options,
    )


class RangeForm(forms.Form):
    """From when to when events are given to a handler again."""

    since = _moment(label=gettext_lazy("From"))
    until = _moment(label=gettext_lazy("To"), required=False, help_text=gettext_lazy("Empty: until now."))

    def request(self, handler: int) -> Replay:
        """The range for a handler, with an end: what was planned is what is done."""
        values = self.cleaned_data
        until = values["until"] or timezone.now().replace(microsecond=0) + timedelta(seconds=1)
        return Replay(handler_id=handler, since=values["since"], until=until)


class RetentionForm(forms.Form):
    """How long the log is kept."""

    days = _number(
        label=gettext_lazy("Days"), help_text=gettext_lazy("Then events, deliveries and output are deleted.")
    )
