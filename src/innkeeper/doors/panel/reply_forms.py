"""The forms of one automatic reply of several, and of the files that may go with them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.units import MB, size_text
from innkeeper.mail.operations import Attachment, NewFile, ReplyChange
from innkeeper.mail.queries import FileInfo, ReplyInfo

_FIELDS = {
    "keystr": "key",
    "ans_freq": "answers_per_day",
    "forwarding": "forward",
    "attachment": "new_files",
    "name": "new_files",
    "file": "new_files",
}
"""The protocol's names of fields where this form has others."""


def _date(**options: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(required=False, widget=widget, input_formats=["%Y-%m-%d"], **options)


class _FileInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files; their names and contents."""

    most = 7 * MB
    """A little less than the server takes of a form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            widget=_FileInput, error_messages={"required": gettext_lazy("Choose a file first.")}, **options
        )

    def clean(self, data: Any, initial: Any = None) -> Any:
        if not data:
            super().clean(None, initial)
        files: list[UploadedFile[Any]] = [super(FilesField, self).clean(file, initial) for file in data or ()]
        return tuple([NewFile(file.name or "", file.read()) for file in files])


class RepositoryForm(forms.Form):
    """Files to keep for automatic replies."""

    new_files = FilesField(
        label=gettext_lazy("New files"), help_text=gettext_lazy("One of the same name takes the place of the old.")
    )


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

    attachments = forms.MultipleChoiceField(
        label=gettext_lazy("Files that go with it"), required=False, widget=forms.CheckboxSelectMultiple
    )
    new_files = FilesField(
        label=gettext_lazy("More files"),
        required=False,
        help_text=gettext_lazy(
            "All files of a reply together may have 5 MB. A new one of the same name takes the place of the old."
        ),
    )

    def __init__(
        self,
        data: QueryDict | None,
        files: MultiValueDict[str, UploadedFile[Any]] | None,
        *,
        stored: ReplyInfo | None,
        taken: set[str],
        repository: list[FileInfo],
    ) -> None:
        initial = {"enabled": True}
        if stored is not None:
            initial = {name: getattr(stored, name) for name in self.base_fields if name != "new_files"}
        super().__init__(data, files, initial=initial)
        self._taken = taken
        self._attached = [] if stored is None else stored.attachments
        if repository:
            attachments = self.fields["attachments"]
            assert isinstance(attachments, forms.MultipleChoiceField)  # noqa: S101
            attachments.choices = [(file.name, f"{file.name} ({size_text(file.size)})") for file in repository]
        else:
            del self.fields["attachments"]
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
        """The request that this form makes, but for its new files."""
        values = {"name": name} | self.cleaned_data
        chosen = [*values.pop("attachments", ()), *(file.name for file in values.pop("new_files"))]
        gone = tuple([attached for attached in self._attached if attached not in chosen])
        return ReplyChange(**values, attachments=tuple(map(Attachment, dict.fromkeys(chosen))), detached=gone)

    def add_refusal(self, refusal: Refused) -> None:
        """Put a refusal beside the field that it speaks of, or above the form."""
        field = (refusal.field or "").rpartition("/")[2]
        field = _FIELDS.get(field, field)
        self.add_error(field if field in self.fields else None, refusal_text(refusal))
