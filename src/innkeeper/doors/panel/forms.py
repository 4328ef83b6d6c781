"""Forms of mail accounts: from what people type to requests of the mail operations, and from refusals to fields.

Forms read values and nothing more; whether a value is allowed is for the operation to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.units import UNIT_CHOICES, UNITS, split_size
from innkeeper.mail.operations import UNSET, AccountChange, Addresses, Password, ReplyChange, Unset
from innkeeper.mail.queries import AccountInfo

DEFAULT, LIMITED, UNLIMITED = "default", "limited", "unlimited"

_FIELDS = {
    "name": "name",
    "site": "site",
    "site-id": "site",
    "alias": "aliases",
    "quota": "quota_amount",
    "password": "password",
    "passwd": "password",
    "redirect": "redirect",
    "forwarding": "redirect",
    "mailgroup": "members",
    "group": "members",
    "antivir": "antivir",
    "description": "description",
    "cp_access": "cp_access",
    "outgoing-messages-mbox-limit": "outgoing_limit",
    "autoresponder/subject": "reply_subject",
    "autoresponder/text": "reply_text",
    "autoresponder/end_date": "reply_until",
    "autoresponder": "reply_text",
}
_PREFIX = re.compile(r"^[a-z_/-]+: ")


def refusal_text(refusal: Refused) -> str:
    """The sentence of a refusal, without the protocol's name of the field, which stands beside it already."""
    text = _PREFIX.sub("", refusal.message)
    return text[:1].upper() + text[1:]


def add_refusal(form: forms.Form, refusal: Refused) -> None:
    """Put a refusal beside the field that it speaks of, or above the form."""
    field = _FIELDS.get(refusal.field or "")
    form.add_error(field if field in form.fields else None, refusal_text(refusal))


class LinesField(forms.CharField):
    """A list, one item a line; commas and spaces part items too."""

    def __init__(self, **options: Any) -> None:
        rows = options.pop("rows", 3)
        super().__init__(
            required=False,
            max_length=100_000,
            widget=forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "autocapitalize": "none"}),
            **options,
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value) or ""
        return tuple(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else ()


def password_field(**options: Any) -> forms.CharField:
    """A new password. Never sent back to the page: after an error it is typed again, or kept by the browser."""
    return forms.CharField(
        strip=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        **options,
    )


class PasswordForm(forms.Form):
    """The present password and the new one."""

    current = forms.CharField(
        label=gettext_lazy("Present password"),
        strip=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    password = password_field(label=gettext_lazy("New password"))


class MailAccountForm(forms.Form):
    """What creating and editing an account have in common."""

    password = password_field(label=gettext_lazy("Password"), required=False)
    mailbox_enabled = forms.BooleanField(
        label=gettext_lazy("Keep mail in a mailbox"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Without one the address only passes mail on, or refuses it. What is stored stays."),
    )
    quota = forms.ChoiceField(label=gettext_lazy("Mailbox size"), initial=DEFAULT, widget=forms.RadioSelect)
    quota_amount = forms.DecimalField(
        label=gettext_lazy("Size limit"),
        required=False,
        min_value=Decimal(0),
        max_digits=16,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    quota_unit = forms.ChoiceField(label=gettext_lazy("Unit"), choices=UNIT_CHOICES, initial="GB", required=False)
    aliases = LinesField(
        label=gettext_lazy("Other names"),
        rows=2,
        help_text=gettext_lazy("Names of the same site that reach this account too, without the domain, one a line."),
    )
    redirect_enabled = forms.BooleanField(
        label=gettext_lazy("Forward mail"),
        required=False,
        help_text=gettext_lazy("A copy stays in the mailbox while there is one."),
    )
    redirect = LinesField(label=gettext_lazy("Forward to"), help_text=gettext_lazy("Full addresses, one a line."))
    group_enabled = forms.BooleanField(
        label=gettext_lazy("Mail group"),
        required=False,
        help_text=gettext_lazy("Passes each message to all members."),
    )
    members = LinesField(label=gettext_lazy("Members"), help_text=gettext_lazy("Full addresses, one a line."))
    reply_enabled = forms.BooleanField(
        label=gettext_lazy("Answer automatically"),
        required=False,
        help_text=gettext_lazy("Once a day to each sender; never to lists and bulk mail."),
    )
    reply_subject = forms.CharField(label=gettext_lazy("Subject"), required=False, max_length=255)
    reply_text = forms.CharField(
        label=gettext_lazy("Text"), required=False, max_length=200_000, widget=forms.Textarea(attrs={"rows": 5})
    )
    reply_until = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        input_formats=["%Y-%m-%d"],
        help_text=gettext_lazy("Empty: until it is switched off."),
    )
    cp_access = forms.BooleanField(
        label=gettext_lazy("Access to the panel"),
        required=False,
        help_text=gettext_lazy("The owner of the mailbox may log in here and change password, reply and forwarding."),
    )
    antivir = forms.ChoiceField(
        label=gettext_lazy("Check for viruses"),
        initial="off",
        choices=[
            ("off", gettext_lazy("No")),
            ("inout", gettext_lazy("Incoming and outgoing mail")),
            ("in", gettext_lazy("Incoming mail")),
            ("out", gettext_lazy("Outgoing mail")),
        ],
    )
    outgoing_limit = forms.CharField(
        label=gettext_lazy("Messages an hour"),
        required=False,
        max_length=19,
        help_text=gettext_lazy("How many the account may send. Empty: the server's default; -1: no limit."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    description = forms.CharField(label=gettext_lazy("Description"), required=False, max_length=255)

    def __init__(self, *args: Any, default_quota: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(LIMITED, _("Limited")), (UNLIMITED, _("Unlimited"))]
        if default_quota:
            choices.insert(0, (DEFAULT, _("Plan default: {size}").format(size=default_quota)))
        self._quota_field.choices = choices
        if not default_quota and self._quota_field.initial == DEFAULT:
            self._quota_field.initial = UNLIMITED

    @property
    def _quota_field(self) -> forms.ChoiceField:
        field = self.fields["quota"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        return field

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("quota") == LIMITED and "quota_amount" in values and not values["quota_amount"]:
            self.add_error("quota_amount", _("Give a size above 0, or choose another option."))
        if values.get("password") == "" and self.data.get(self.add_prefix("password_needed")):
            self.add_error("password", _("Give a password, or let the panel generate one."))
        return values

    def _quota(self) -> int | Unset:
        values = self.cleaned_data
        if values["quota"] == UNLIMITED:
            return -1
        if values["quota"] == DEFAULT:
            return UNSET
        return int(values["quota_amount"] * UNITS[values["quota_unit"] or "GB"])

    def single_change(self, name: str, field: str) -> AccountChange:
        """The request that this form would make for one field alone, to judge it before the others are filled in."""
        values = self.cleaned_data
        change = AccountChange(name=name)
        if field == "aliases":
            return replace(change, aliases=values["aliases"])
        if field == "redirect":
            return replace(change, redirect=_switched_on(values["redirect"]))
        if field == "members":
            return replace(change, group=_switched_on(values["members"]))
        if field == "outgoing_limit":
            return replace(change, outgoing_limit=values["outgoing_limit"].strip() or "default")
        return change

    def change(self, name: str, stored: AccountInfo | None = None) -> AccountChange:
        """The request that this form makes for the account of that name."""
        values = self.cleaned_data
        reply = any(values[key] for key in ("reply_enabled", "reply_subject", "reply_text", "reply_until"))
        return AccountChange(
            name=name,
            password=Password(values["password"]) if values["password"] else UNSET,
            mailbox_enabled=values["mailbox_enabled"],
            quota=self._quota(),
            aliases=values["aliases"],
            redirect=Addresses(values["redirect_enabled"], values["redirect"]),
            group=Addresses(values["group_enabled"], values["members"]),
            autoresponder=ReplyChange(
                enabled=values["reply_enabled"],
                subject=values["reply_subject"],
                text=values["reply_text"],
                end_date=values["reply_until"],
            )
            if reply or (stored is not None and stored.replies)
            else UNSET,
            cp_access=values["cp_access"],
            antivir=values["antivir"],
            outgoing_limit=values["outgoing_limit"].strip() or "default",
            description=values["description"],
        )


def _switched_on(addresses: tuple[str, ...]) -> Addresses | Unset:
    """Addresses as they would act: a ring of forwarding shows only where it is switched on."""
    return Addresses(True, addresses) if addresses else UNSET


class CreateForm(MailAccountForm):
    """A new account: its address comes first."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    site = forms.CharField(label=gettext_lazy("Site"), max_length=255)

    def __init__(self, *args: Any, sites: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chooses_site = sites is not None
        self.has_no_site = sites is not None and not sites
        if sites is not None:
            self.fields["site"] = forms.ChoiceField(label=_("Site"), choices=list(sites.items()))
        else:
            self.fields["site"].widget.attrs |= {"placeholder": "example.com", "autocapitalize": "none"}


def initial_of(info: AccountInfo) -> dict[str, Any]:
    """What the form shows of a stored account."""
    amount, unit = split_size(info.quota) if info.quota > 0 else ("", "GB")
    reply = next((r for r in info.replies if r.enabled), info.replies[0] if info.replies else None)
    return {
        "mailbox_enabled": info.mailbox_enabled,
        "quota": LIMITED if info.quota > 0 else UNLIMITED,
        "quota_amount": amount,
        "quota_unit": unit,
        "aliases": "\n".join(info.aliases),
        "redirect_enabled": info.redirect_enabled,
        "redirect": "\n".join(info.redirect),
        "group_enabled": info.group_enabled,
        "members": "\n".join(info.group),
        "reply_enabled": bool(reply and reply.enabled and info.autoresponders_enabled),
        "reply_subject": reply.subject if reply else "",
        "reply_text": reply.text if reply else "",
        "reply_until": reply.end_date if reply else None,
        "cp_access": info.cp_access,
        "antivir": info.antivir,
        "outgoing_limit": "" if info.outgoing_limit is None else str(info.outgoing_limit),
        "description": info.description,
    }
