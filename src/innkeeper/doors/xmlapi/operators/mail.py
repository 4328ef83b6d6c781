"""Operator `mail` in the new dialect: mail accounts and the mail service of sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lxml import etree

from innkeeper.core.errors import NotFound, Refused
from innkeeper.core.operation import Outcome
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.mail_answers import write_infos
from innkeeper.doors.xmlapi.mail_requests import account_change, folded, number
from innkeeper.doors.xmlapi.results import error_fragment
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import escape
from innkeeper.mail import operations
from innkeeper.mail.requests import (
    AccountChange,
    AccountRef,
    CreateAccounts,
    RemoveAccounts,
)

OPERATOR = "mail"
DIALECTS = (Dialect.NEW,)

Element = etree._Element
Outcomes = list[Outcome[AccountRef]]


def create(call: Call) -> None:
    """Create accounts on one site."""
    site_id, mailnames = site_and_accounts(call.element)
    run_on_accounts(
        call, mailnames, account_change, lambda changes: operations.create_accounts(
            call.actor, CreateAccounts(site_id, changes)
        ),
    )  # fmt: skip


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
    write_outcomes(call, [Outcome(AccountRef(None, each.value.name), each.error) for each in outcomes])


def get_available_mail_providers(call: Call) -> None:
    """Mail is served by the server itself."""
    with call.result() as writer, writer.element("mail-provider"):
        writer.leaf("local")


OPERATIONS = {
    "create": create,
    "get_info": get_info,
    "remove": remove,
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
    """One refusal for each account that was asked for, so that a client can tell which."""
    return [Outcome(AccountRef(None, name), error) for name in names or [""]]


def run_on_accounts(
    call: Call,
    mailnames: Sequence[Element],
    read: Callable[[Element], AccountChange],
    run: Callable[[tuple[AccountChange, ...]], Outcomes],
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
    write_outcomes(call, outcomes)


def write_outcomes(call: Call, outcomes: Outcomes) -> None:
    """A result for each account, with its name; one bare result if there is none."""
    writer = call.writer
    line, inner, innermost = writer.line(), writer.line(1), writer.line(2)
    for account, error in ((outcome.value, outcome.error) for outcome in outcomes):
        head = f"{inner}<status>ok</status>" if error is None else error_fragment(error, inner)
        number_ = "" if account.id is None or error is not None else f"{innermost}<id>{account.id}</id>"
        mailname = (
            f"{inner}<mailname>{number_}{innermost}<name>{escape(account.name)}</name>{inner}</mailname>"
            if account.name or error is None
            else ""
        )
        writer.append(f"{line}<result>{head}{mailname}{line}</result>")
    if not outcomes:
        with call.result():
            pass
