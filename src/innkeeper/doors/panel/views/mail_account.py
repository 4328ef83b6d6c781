"""One mail account: create, edit, rename, remove with undo, and its packet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from innkeeper.core.errors import NotFound, Refused
from innkeeper.core.operation import planning
from innkeeper.doors.panel.forms import CreateForm, MailAccountForm, add_refusal, initial_of, refusal_text
from innkeeper.doors.panel.snippets import command_line, packet, read_packet
from innkeeper.doors.panel.units import size_text
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting.models import Site
from innkeeper.hosting.queries import find_site, limits_of, visible_sites
from innkeeper.mail import listing
from innkeeper.mail.listing import ListedAccount
from innkeeper.mail.operations import (
    UNSET,
    AccountChange,
    Addresses,
    CreateAccounts,
    Mode,
    RemoveAccounts,
    RenameAccount,
    RestoreAccount,
    UpdateAccounts,
    create_accounts,
    remove_accounts,
    rename_account,
    restore_account,
    update_accounts,
)
from innkeeper.mail.queries import AccountInfo, Part, account_infos

# More sites than this do not fit a list to choose from: the name is typed.
SITES_TO_CHOOSE = 100
UNDO = "removed"
SHOWN_REFUSALS = 5
UNDO_AT_ONCE = 500
# The fields that the operation's plan can judge alone.
CHECKED = ("name", "site", "aliases", "redirect", "members", "outgoing_limit")
PARTS = Part.ALIASES | Part.RECIPIENTS | Part.GROUPS | Part.REPLIES | Part.FILES


def _sites(request: PanelRequest) -> dict[str, str] | None:
    names = list(
        visible_sites(request.actor).order_by("ascii_name").values_list("ascii_name", "name")[: SITES_TO_CHOOSE + 1]
    )
    return dict(names) if len(names) <= SITES_TO_CHOOSE else None


def _default_quota(site: Site | None) -> str:
    if site is None or site.webspace_id is None:
        return ""
    quota = limits_of([site.webspace_id])[site.webspace_id].get("mbox_quota", -1)
    return size_text(quota) if quota > 0 else ""


def _only_outcome(outcomes: list[Any]) -> None:
    """Raise the refusal of an operation on one object."""
    if outcomes[0].error is not None:
        raise outcomes[0].error


def answer(request: PanelRequest, target: str) -> HttpResponse:
    """Go on to a page: for htmx by its header, because it would swap a followed redirect into the form."""
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = target
        return response
    return redirect(target)


def _show(request: PanelRequest, template: str, context: dict[str, Any], form: MailAccountForm) -> HttpResponse:
    """The page with its form, or the one field that htmx asked to be checked."""
    context |= {"form": form, "section": "mail"}
    if not form.is_bound:
        return render(request, template, context)
    return render(request, template, context, status=422 if form.errors else 200)


def _new_form(request: PanelRequest) -> CreateForm:
    """The form for a new account. Of many sites the name is typed, of few it is chosen."""
    sites = _sites(request)
    first = visible_sites(request.actor).order_by("ascii_name").first() if sites else None
    initial = {"site": request.GET.get("site") or (first.ascii_name if first else "")}
    return CreateForm(
        request.POST if request.method == "POST" else None,
        sites=sites,
        initial=initial,
        default_quota=_default_quota(first),
    )


def _named_site(request: PanelRequest, form: CreateForm) -> Site:
    try:
        return find_site(request.actor, name=form.cleaned_data.get("site", ""))
    except NotFound as refusal:
        raise NotFound(_("There is no such site."), field="site") from refusal


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def create(request: PanelRequest) -> HttpResponse:
    """Create one account."""
    form = _new_form(request)
    if form.has_no_site:
        return render(request, "panel/no_site.html", {"section": "mail"})
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            site = _named_site(request, form)
            _only_outcome(create_accounts(request.actor, CreateAccounts(site.pk, (form.change(name),))))
            address = f"{name.lower()}@{site.name}"
            messages.success(request, _("{address} was created.").format(address=address))
            return answer(request, _page_of(request, site, name))
        except Refused as refusal:
            add_refusal(form, refusal)
    return _show(request, "panel/mail_create.html", {}, form)


@require_POST
@for_owners
def check_new(request: PanelRequest, field: str) -> HttpResponse:
    """Judge one field of a new account by the plan of its creation; nothing is created."""
    form = _new_form(request)
    _require_checked(form, field)
    if field not in form.errors:
        try:
            change = form.single_change(form.cleaned_data.get("name") or "new-account", field)
            with planning():
                _only_outcome(create_accounts(request.actor, CreateAccounts(_named_site(request, form).pk, (change,))))
        except Refused as refusal:
            add_refusal(form, refusal)
    return _judged(request, form, field)


@require_POST
@for_owners
def check_change(request: PanelRequest, number: int, field: str) -> HttpResponse:
    """Judge one field of an account by the plan of its change; nothing is changed."""
    row, _info = find(request, number)
    form = MailAccountForm(request.POST)
    _require_checked(form, field)
    if field not in form.errors:
        try:
            change = form.single_change(row.name, field)
            with planning():
                _only_outcome(update_accounts(request.actor, UpdateAccounts(row.site_id, Mode.SET, (change,))))
        except Refused as refusal:
            add_refusal(form, refusal)
    return _judged(request, form, field)


def _require_checked(form: MailAccountForm, field: str) -> None:
    if field not in form.fields or field not in CHECKED:
        raise Http404


def _judged(request: PanelRequest, form: MailAccountForm, field: str) -> HttpResponse:
    """The one field, with what is wrong with it."""
    bound = form[field]
    context = {"field": bound, "check": request.path.rpartition(field)[0]}
    return render(request, "panel/field.html", context, status=422 if bound.errors else 200)


def _page_of(request: PanelRequest, site: Site, name: str) -> str:
    info = next(iter(account_infos(request.actor, site.pk, [name])))
    return reverse("panel:mail-edit", args=[info.id]) if isinstance(info, AccountInfo) else reverse("panel:mail")


def find(request: PanelRequest, number: int) -> tuple[ListedAccount, AccountInfo]:
    """One account by its id. What is missing and what is somebody else's is the same 404."""
    rows = listing.some(request.actor, [number]) if number < 2**63 else []
    if not rows:
        raise Http404
    info = next(iter(account_infos(request.actor, rows[0].site_id, [rows[0].name], PARTS)))
    if not isinstance(info, AccountInfo):
        raise Http404
    return rows[0], info


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def edit(request: PanelRequest, number: int) -> HttpResponse:
    """Show and change one account."""
    row, info = find(request, number)
    site = Site.objects.get(pk=row.site_id)
    form = MailAccountForm(
        request.POST if request.method == "POST" else None, initial=initial_of(info), default_quota=_default_quota(site)
    )
    if request.method == "POST" and form.is_valid():
        try:
            save(request, row, info, form)
            messages.success(request, _("{address} was saved.").format(address=row.address))
            return answer(request, reverse("panel:mail-edit", args=[number]))
        except Refused as refusal:
            add_refusal(form, refusal)
    return _show(request, "panel/mail_edit.html", {"row": row, "info": info}, form)


def save(request: PanelRequest, row: ListedAccount, info: AccountInfo, form: MailAccountForm) -> None:
    """Change an account to what its form says."""
    change = form.change(row.name, info)
    if form.cleaned_data["quota"] == "default":
        webspace = Site.objects.values_list("webspace_id", flat=True).get(pk=row.site_id)
        change = replace(change, quota=limits_of([webspace])[webspace].get("mbox_quota", -1) if webspace else -1)
    _only_outcome(update_accounts(request.actor, UpdateAccounts(row.site_id, Mode.SET, (change,))))
    # A list that is given empty keeps its addresses by the protocol's rule; emptied in a form it is to be empty.
    emptied = AccountChange(
        name=row.name,
        redirect=Addresses(UNSET, tuple(info.redirect))
        if info.redirect and not form.cleaned_data["redirect"]
        else UNSET,
        group=Addresses(UNSET, tuple(info.group)) if info.group and not form.cleaned_data["members"] else UNSET,
    )
    if emptied.redirect or emptied.group:
        _only_outcome(update_accounts(request.actor, UpdateAccounts(row.site_id, Mode.REMOVE, (emptied,))))


@require_POST
@for_owners
def rename(request: PanelRequest, number: int) -> HttpResponse:
    """Give an account another name of its site."""
    row, info = find(request, number)
    new_name = request.POST.get("new_name", "").strip()
    try:
        rename_account(request.actor, RenameAccount(row.site_id, row.name, new_name))
    except Refused as refusal:
        form = MailAccountForm(initial=initial_of(info), default_quota=_default_quota(Site.objects.get(pk=row.site_id)))
        context = {"row": row, "info": info, "form": form, "section": "mail", "new_name": new_name}
        return render(request, "panel/mail_edit.html", context | {"rename_error": refusal_text(refusal)}, status=422)
    messages.success(request, _("{address} has a new name.").format(address=row.address))
    return redirect("panel:mail-edit", number)


@require_safe
@for_owners
def api(request: PanelRequest, number: int) -> HttpResponse:
    """The packet and the command that describe this account: a drawer, or a page of its own without a script."""
    row, info = find(request, number)
    snippets = [
        (_("Packet that makes it what it is"), packet(row.site_id, info)),
        (_("Packet that reads it"), read_packet(row.site_id, info)),
        (_("Command"), command_line(row, info)),
    ]
    context = {
        "name": row.address,
        "crumbs": [
            (reverse("panel:mail"), _("Mail accounts")),
            (reverse("panel:mail-edit", args=[number]), row.address),
        ],
        "section": "mail",
        "snippets": snippets,
        "note": _(
            "Send packets by POST to /enterprise/control/agent.php with a secret key or a log-in. A password never"
            " appears here; a new one goes in by its own element, or to the command by standard input."
        ),
    }
    return render(request, "panel/api_drawer.html" if request.htmx else "panel/api_page.html", context)


@require_POST
@for_owners
def remove(request: PanelRequest, number: int) -> HttpResponse:
    """Remove one account; the answer offers to undo it."""
    row, _info = find(request, number)
    remove_all(request, [row])
    return redirect("panel:mail")


def remove_all(request: PanelRequest, rows: list[ListedAccount]) -> None:
    """Remove accounts, site by site, and offer to undo it. What is refused is told, and the rest goes on."""
    removed, refusals = [], []
    for site_id, names in by_site(rows).items():
        try:
            outcomes = remove_accounts(request.actor, RemoveAccounts(site_id, tuple(names)))
        except Refused as refusal:
            refusals.append(refusal_text(refusal))
            continue
        removed += [[site_id, outcome.value.name] for outcome in outcomes if outcome.error is None]
    if removed:
        # More than this would make the session heavy; each can still be restored from the list of removed accounts.
        undo = len(removed) <= UNDO_AT_ONCE
        request.session[UNDO] = removed if undo else []
        if len(rows) == 1:
            text = _("{address} was removed. Its mail is kept for a while.").format(address=rows[0].address)
        else:
            text = ngettext(
                "{n} account was removed. Its mail is kept for a while.",
                "{n} accounts were removed. Their mail is kept for a while.",
                len(removed),
            ).format(n=len(removed))
        messages.success(request, text, extra_tags="undo" if undo else "")
    tell_refusals(request, refusals)


def tell_refusals(request: PanelRequest, refusals: list[str]) -> None:
    """Show some refusals of an action on many, each sentence once."""
    if refusals:
        messages.error(request, " ".join(list(dict.fromkeys(refusals))[:SHOWN_REFUSALS]))


def by_site(rows: list[ListedAccount]) -> dict[int, list[str]]:
    """Names of accounts by the id of their site."""
    result: dict[int, list[str]] = {}
    for row in rows:
        result.setdefault(row.site_id, []).append(row.name)
    return result


@require_POST
@for_owners
def undo(request: PanelRequest) -> HttpResponse:
    """Bring back what the last removal of this session took."""
    restored, refusals = 0, []
    for site_id, name in request.session.pop(UNDO, []):
        try:
            restore_account(request.actor, RestoreAccount(site_id, name))
            restored += 1
        except Refused as refusal:
            refusals.append(f"{name}: {refusal_text(refusal)}")
    if restored:
        text = ngettext("{n} account is back.", "{n} accounts are back.", restored).format(n=restored)
        messages.success(request, text)
    tell_refusals(request, refusals)
    if not restored and not refusals:
        messages.warning(request, _("There is nothing to undo."))
    return redirect("panel:mail")
