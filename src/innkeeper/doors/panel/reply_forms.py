"""The form of one automatic reply of several."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.mail.operations import ReplyChange
from innkeeper.mail.queries import ReplyInfo

_FIELDS = {"keystr": "key", "ans_freq": "answers_per_day", "forwarding": "forward"}
"""The protocol's names of fields where this form has others."""


def _date(**options: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(required=False, widget=widget, input_formats=["%Y-%m-%d"], **options)


class ReplyForm(forms.Form):
    """An automatic reply. A stored one keeps its name, by which every door knows it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=255,
        help_text=gettext_lazy("Only you see it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    enabled = forms.BooleanField(
        label=gettext_lazy("Answer with this"),
        required=False,
        help_text=gettext_lazy("Never to lists and bulk mail. Of several that fit a message the first one answers."),
    )
    key_where = forms.ChoiceField(
        label=gettext_lazy("Which messages"),
        choices=[
            ("no", gettext_lazy("All")),
            ("subj", gettext_lazy("With these words in the subject")),
            ("body", gettext_lazy("With these words in the text")),
        ],
    )
    key = forms.CharField(label=gettext_lazy("Words"), required=False, max_length=255)
    subject = forms.CharField(label=gettext_lazy("Subject of the answer"), required=False, max_length=255)
    content_type = forms.ChoiceField(
        label=gettext_lazy("Text is"),
        choices=[("text/plain", gettext_lazy("Plain")), ("text/html", gettext_lazy("HTML"))],
    )
    text = forms.CharField(
        label=gettext_lazy("Text"), required=False, max_length=200_000, widget=forms.Textarea(attrs={"rows": 6})
    )
    start_date = _date(label=gettext_lazy("First day"), help_text=gettext_lazy("Empty: at once."))
    end_date = _date(label=gettext_lazy("Last day"), help_text=gettext_lazy("Empty: until it is switched off."))
    answers_per_day = forms.IntegerField(
        label=gettext_lazy("Answers a day to one sender"),
        required=False,
        help_text=gettext_lazy("Empty: one."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": "9"}),
    )
    reply_to = forms.CharField(label=gettext_lazy("Replies to the answer go to"), required=False, max_length=320)
    forward = forms.CharField(
        label=gettext_lazy("Pass the message on to"),
        required=False,
        max_length=320,
        help_text=gettext_lazy("An address that gets each message that was answered."),
    )

    def __init__(self, data: QueryDict | None, *, stored: ReplyInfo | None, taken: set[str]) -> None:
        initial = {"enabled": True} if stored is None else {name: getattr(stored, name) for name in self.base_fields}
        super().__init__(data, initial=initial)
        self._taken = taken
        if stored is not None:
            del self.fields["name"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name in self._taken:
            raise forms.ValidationError(_("There is a reply of this name. Choose another."))
        return name

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("key_where") not in (None, "no") and not values.get("key"):
            self.add_error("key", _("Write the words, or answer all messages."))
        if values.get("enabled") and "text" in values and not values["text"]:
            self.add_error("text", _("Write what the answer says."))
        return values

    def change(self, name: str) -> ReplyChange:
        """The request that this form makes."""
        return ReplyChange(**{"name": name} | self.cleaned_data)

    def add_refusal(self, refusal: Refused) -> None:
        """Put a refusal beside the field that it speaks of, or above the form."""
        field = (refusal.field or "").rpartition("/")[2]
        field = _FIELDS.get(field, field)
        self.add_error(field if field in self.fields else None, refusal_text(refusal))
