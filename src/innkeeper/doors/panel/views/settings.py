"""What a visitor chooses for itself."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from innkeeper.accounts.preferences import set_color_scheme
from innkeeper.doors.panel.visitor import PanelRequest, for_owners

SCHEMES = [
    ("auto", gettext_lazy("Like my system")),
    ("light", gettext_lazy("Light")),
    ("dark", gettext_lazy("Dark")),
]


class LookForm(forms.Form):
    """How the panel looks."""

    color_scheme = forms.ChoiceField(label=gettext_lazy("Colours"), choices=SCHEMES, widget=forms.RadioSelect)


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def settings(request: PanelRequest) -> HttpResponse:
    """The look of the panel, kept with the account."""
    visitor = request.visitor
    assert visitor is not None  # noqa: S101  (for_owners saw to it)
    form = LookForm(request.POST or None, initial={"color_scheme": visitor.color_scheme})
    if request.method == "POST" and form.is_valid():
        set_color_scheme(request.actor, form.cleaned_data["color_scheme"])
        messages.success(request, _("Saved."))
        return redirect("panel:settings")
    status = 422 if form.errors else 200
    return render(request, "panel/settings.html", {"section": "settings", "form": form}, status=status)
