"""Operator `mail` in the new dialect: mail accounts and the mail service of sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from django.db import DatabaseError, transaction
from lxml import etree

from innkeeper.core.errors import NotFound, Refused
from innkeeper.core.operation import Outcome, failed
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.mail_answers import write_infos, write_preferences
from innkeeper.doors.xmlapi.mail_requests import account_change, folded, number, preferences
from innkeeper.doors.xmlapi.packet import Records
from innkeeper.doors.xmlapi.results import error_fragment
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import escape
from innkeeper.mail import operations
from innkeeper.mail.requests import (
    UNSET,
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
Account = AccountChange | Outcome[AccountRef]
Run = Callable[[tuple[AccountChange, ...]], Outcomes]

# More accounts in one operation than AT_ONCE are run in parts.
AT_ONCE = 5_000
PART = 1_000


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
    site_ids, shown = filter_ids(filter_)
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
            writer.leaf(site_tag, next(shown, outcome.value))


def filter_ids(filter_: Element) -> tuple[list[int], Iterator[str]]:
    """The ids of a filter, and each as it was sent: one that is too large for any site is no other's in its result."""
    return [number(child) for child in filter_], iter([folded(child) for child in filter_])


def get_prefs(call: Call) -> None:
    """Mail preferences of sites; of every visible one if none is named."""
    site_ids, shown = filter_ids(call.element[0])
    write_preferences(call, site_ids or None, shown)


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


def site_and_accounts(call: Call, operation: Element) -> tuple[int, Records]:
    """The site's id and the `mailname` elements of a filter."""
    filter_ = operation[0]
    return number(filter_[0]), call.records or (lambda: iter(filter_.findall("mailname")))


def site_and_names(operation: Element) -> tuple[int, tuple[str, ...] | None]:
    """The site's id and the names of a filter, None if it names none and so means all."""
    filter_ = operation[0]
    names = tuple([" ".join((name.text or "").split()) for name in islice(filter_.iterchildren(), 1, None)])
    return number(filter_[0]), names or None


def missing_site(names: Sequence[str] | None, error: Refused) -> Outcomes:
    """One refusal for each account that was asked for, so that a client can tell which. Raises it if none was."""
    if not names:
        raise error
    return [Outcome(AccountRef(None, name), error) for name in names]


def create_accounts(call: Call, read: Read) -> None:
    """`create` in either dialect."""
    site_id, mailnames = site_and_accounts(call, call.element)

    def run(changes: tuple[AccountChange, ...]) -> Outcomes:
        return operations.create_accounts(call.actor, CreateAccounts(site_id, changes))

    run_on_accounts(call, Accounts(site_id, Mode.SET, mailnames, read, run), with_ids=True)


def update_accounts(call: Call, read: Read) -> None:
    """`update` in either dialect."""
    (part,) = call.element
    mode = Mode(str(part.tag))
    site_id, mailnames = site_and_accounts(call, part)

    def run(changes: tuple[AccountChange, ...]) -> Outcomes:
        return operations.update_accounts(call.actor, UpdateAccounts(site_id, mode, changes))

    with call.writer.element(mode):
        run_on_accounts(call, Accounts(site_id, mode, mailnames, read, run))


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of an operation, read from the packet whenever they are asked for, and what to do with them."""

    site_id: int
    mode: Mode
    mailnames: Records
    read: Read
    run: Run

    def __iter__(self) -> Iterator[Account]:
        return (read_account(mailname, self.read) for mailname in self.mailnames())


def run_on_accounts(call: Call, accounts: Accounts, *, with_ids: bool = False) -> None:
    """Read the accounts, run the operation on those that can be read, and answer each in its place.

    Many accounts are run part by part, in one transaction, so that memory holds what one part of them needs.
    """
    reading = iter(accounts)
    head = list(islice(reading, AT_ONCE + 1))
    if len(head) > AT_ONCE:
        run_in_parts(call, accounts, chain(head, reading), with_ids)
        return
    try:
        outcomes = outcomes_of(head, accounts.run)
    except Refused as error:
        outcomes = [Outcome(AccountRef(None, name_of(account)), error) for account in head]
    write_outcomes(call, outcomes, with_ids=with_ids)


def run_in_parts(call: Call, accounts: Accounts, reading: Iterator[Account], with_ids: bool) -> None:
    """Run an operation on more accounts than memory should hold. A refusal of one part refuses all.

    They are read twice, because their passwords are hashed before the transaction: on SQLite the changes of everybody
    else wait for its end.
    """
    mark = call.writer.mark()
    try:
        changes = (account if isinstance(account, AccountChange) else None for account in reading)
        hashes = operations.hash_ahead(call.actor, accounts.site_id, changes, accounts.mode)
        ready = (with_hash(account, hashes.get(place)) for place, account in enumerate(accounts))
        with transaction.atomic():
            for part in parts_of(ready):
                write_outcomes(call, outcomes_of(part, accounts.run), with_ids=with_ids)
        return
    except Refused as refused:
        error = refused
    except DatabaseError as failure:
        error = failed("an operation in parts", failure)
    call.writer.rewind(mark)
    for part in parts_of(iter(accounts)):
        write_outcomes(call, [Outcome(AccountRef(None, name_of(account)), error) for account in part])


def parts_of(accounts: Iterator[Account]) -> Iterator[list[Account]]:
    """The accounts, as many at a time as are run together."""
    return iter(lambda: list(islice(accounts, PART)), [])


def with_hash(account: Account, hashed: str | None) -> Account:
    """The account with the hash that was made of its password."""
    if hashed is None or not isinstance(account, AccountChange) or account.password is UNSET:
        return account
    return replace(account, password=replace(account.password, hashed=hashed))


def read_account(mailname: Element, read: Read) -> Account:
    """What the packet says about one account, or why that cannot be read."""
    try:
        return read(mailname)
    except Refused as error:
        name = mailname.find("name")
        return Outcome(AccountRef(None, "" if name is None else folded(name)), error)


def outcomes_of(accounts: Sequence[Account], run: Run) -> Outcomes:
    """Run the operation on the accounts that could be read: an outcome for each account, in their order."""
    changes = tuple(account for account in accounts if isinstance(account, AccountChange))
    done = iter(run(changes) if changes else ())
    return [next(done) if isinstance(account, AccountChange) else account for account in accounts]


def name_of(account: Account) -> str:
    """The name that the packet gives."""
    return account.name if isinstance(account, AccountChange) else account.value.name


def write_outcomes(call: Call, outcomes: Outcomes, *, with_ids: bool = False) -> None:
    """A result for each account, with its name; one bare result if there is none."""
    writer = call.writer
    line, inner, innermost = writer.line(), writer.line(1), writer.line(2)

    def element_of(name: str) -> str:
        return f"<name>{escape(name)}</name>" if name else "<name/>"

    for account, error in ((outcome.value, outcome.error) for outcome in outcomes):
        head = f"{inner}<status>ok</status>" if error is None else error_fragment(error, inner)
        identity = f"{innermost}<id>{account.id}</id>" if with_ids and account.id is not None else ""
        mailname = f"{inner}<mailname>{identity}{innermost}{element_of(account.name)}{inner}</mailname>"
        writer.append(f"{line}<result>{head}{mailname}{line}</result>")
    if not outcomes:
        with call.result():
            pass
