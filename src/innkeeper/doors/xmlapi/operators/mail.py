"""Operator `mail` in the new dialect: mail accounts and the mail service of sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lxml import etree

from innkeeper.core.errors import NotFound, Refused
from innkeeper.core.operation import Outcome
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.mail_answers import write_infos, write_preferences
from innkeeper.doors.xmlapi.mail_requests import account_change, folded, number, preferences
from innkeeper.doors.xmlapi.results import error_fragment
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import escape
from innkeeper.mail import operations
from innkeeper.mail.requests import (
    AccountChange,
    AccountRef,
    CreateAccounts,
    Mode,
    RemoveAccounts,
    RenameAccount,
    UpdateAccounts,
)

OPERATOR = "mail"
DIALECTS = (Dialect.NEW,)

Element = etree._Element
Read = Callable[[Element], AccountChange]
Outcomes = list[Outcome[AccountRef]]


def create(call: Call) -> None:
    """Create accounts on one site."""
    create_accounts(call, account_change)


def update(call: Call) -> None:
    """Add to, take from or replace settings of accounts of one site."""
    update_accounts(call, account_change)


def get_info(call: Call) -> None:
    """Accounts of one site, with the parts that the request asks for."""
    site_id, names = site_and_names(call.element)
    parts = frozenset(str(child.tag) for child in call.element if child.tag != "filter")
    try:
        write_infos(call, site_id, names, parts)
    except NotFound as error:
        write_outcomes(call, missing_site(names, error))


def remove(call: Call) -> None:
    """Remove accounts of one site; all of them if none is named."""
    site_id, names = site_and_names(call.element)
    try:
        outcomes = operations.remove_accounts(call.actor, RemoveAccounts(site_id, names))
    except Refused as error:
        outcomes = missing_site(names, error)
    write_outcomes(call, outcomes)


def rename(call: Call) -> None:
    """Give an account another name on its site."""
    site_id, name, new_name = call.element
    operations.rename_account(call.actor, RenameAccount(number(site_id), folded(name), folded(new_name)))
    with call.result():
        pass


def enable(call: Call) -> None:
    """Switch the mail service of a site on."""
    switch_service(call, enabled=True)


def disable(call: Call) -> None:
    """Switch the mail service of a site off; everything stored stays."""
    switch_service(call, enabled=False)


def switch_service(call: Call, *, enabled: bool) -> None:
    """The common part of `enable` and `disable`."""
    operations.set_service_enabled(call.actor, number(call.element[0]), enabled)
    with call.result():
        pass


def set_prefs(call: Call) -> None:
    """Change mail preferences of sites; of every visible one if none is named."""
    set_preferences(call, "site-id")


def set_preferences(call: Call, site_tag: str) -> None:
    """`set_prefs` in either dialect."""
    filter_, prefs = call.element
    site_ids = [number(child) for child in filter_]
    try:
        outcomes = operations.set_preferences(call.actor, site_ids or None, preferences(prefs))
    except Refused as error:
        if not site_ids:
            raise
        outcomes = [Outcome(site_id, error) for site_id in site_ids]
    if not outcomes:
        with call.result():
            pass
    for outcome in outcomes:
        with call.result(outcome.error) as writer:
            writer.leaf(site_tag, outcome.value)


def get_prefs(call: Call) -> None:
    """Mail preferences of sites; of every visible one if none is named."""
    write_preferences(call, [number(child) for child in call.element[0]] or None)


def get_available_mail_providers(call: Call) -> None:
    """Mail is served by the server itself."""
    with call.result() as writer, writer.element("mail-provider"):
        writer.leaf("local")


OPERATIONS = {
    "create": create,
    "update": update,
    "get_info": get_info,
    "remove": remove,
    "rename": rename,
    "enable": enable,
    "disable": disable,
    "set_prefs": set_prefs,
    "get_prefs": get_prefs,
    "get-available-mail-providers": get_available_mail_providers,
}


def site_and_accounts(operation: Element) -> tuple[int, list[Element]]:
    """The site's id and the `mailname` elements of a filter."""
    site_id, *mailnames = operation[0]
    return number(site_id), mailnames


def site_and_names(operation: Element) -> tuple[int, tuple[str, ...] | None]:
    """The site's id and the names of a filter, None if it names none and so means all."""
    site_id, *names = operation[0]
    return number(site_id), tuple(folded(name) for name in names) or None


def missing_site(names: Sequence[str] | None, error: Refused) -> Outcomes:
    """One refusal for each account that was asked for, so that a client can tell which. Raises it if none was."""
    if not names:
        raise error
    return [Outcome(AccountRef(None, name), error) for name in names]


def create_accounts(call: Call, read: Read) -> None:
    """`create` in either dialect."""
    site_id, mailnames = site_and_accounts(call.element)
    run_on_accounts(
        call,
        mailnames,
        read,
        lambda changes: operations.create_accounts(call.actor, CreateAccounts(site_id, changes)),
        with_ids=True,
    )


def update_accounts(call: Call, read: Read) -> None:
    """`update` in either dialect."""
    (part,) = call.element
    mode = Mode(str(part.tag))
    site_id, mailnames = site_and_accounts(part)
    with call.writer.element(mode):
        run_on_accounts(
            call,
            mailnames,
            read,
            lambda changes: operations.update_accounts(call.actor, UpdateAccounts(site_id, mode, changes)),
        )


def run_on_accounts(
    call: Call,
    mailnames: Sequence[Element],
    read: Read,
    run: Callable[[tuple[AccountChange, ...]], Outcomes],
    *,
    with_ids: bool = False,
) -> None:
    """Read the accounts, run the operation on those that can be read, and answer each in its place."""
    outcomes: list[Outcome[AccountRef]] = []
    places: list[int] = []
    changes: list[AccountChange] = []
    for place, mailname in enumerate(mailnames):
        try:
            change = read(mailname)
        except Refused as error:
            name = mailname.find("name")
            outcomes.append(Outcome(AccountRef(None, "" if name is None else folded(name)), error))
        else:
            outcomes.append(Outcome(AccountRef(None, change.name)))
            places.append(place)
            changes.append(change)
    if changes:
        try:
            done = run(tuple(changes))
        except Refused as error:
            done = [Outcome(AccountRef(None, change.name), error) for change in changes]
        for place, outcome in zip(places, done, strict=True):
            outcomes[place] = outcome
    write_outcomes(call, outcomes, with_ids=with_ids)


def write_outcomes(call: Call, outcomes: Outcomes, *, with_ids: bool = False) -> None:
    """A result for each account, with its name; one bare result if there is none."""
    writer = call.writer
    line, inner, innermost = writer.line(), writer.line(1), writer.line(2)

    def name_of(name: str) -> str:
        return f"<name>{escape(name)}</name>" if name else "<name/>"

    for account, error in ((outcome.value, outcome.error) for outcome in outcomes):
        head = f"{inner}<status>ok</status>" if error is None else error_fragment(error, inner)
        identity = f"{innermost}<id>{account.id}</id>" if with_ids and account.id is not None else ""
        mailname = f"{inner}<mailname>{identity}{innermost}{name_of(account.name)}{inner}</mailname>"
        writer.append(f"{line}<result>{head}{mailname}{line}</result>")
    if not outcomes:
        with call.result():
            pass
