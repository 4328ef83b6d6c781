"""Operator `ftp-user`: additional FTP accounts of webspaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lxml import etree

from innkeeper.doors.xmlapi.call import Call, boolean_of, number_of, raw_text_of, text_of
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, answer_each, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting import catalogue
from innkeeper.hosting.models import FTPAccount, Webspace
from innkeeper.hosting.operations import create_ftp_account, remove_ftp_account, update_ftp_account
from innkeeper.hosting.queries import find_webspace, visible_ftp_accounts
from innkeeper.hosting.requests import FTPAccountChanges, NewFTPAccount

OPERATOR = "ftp-user"
DIALECTS = (Dialect.NEW,)
MISSING = "FTP account does not exist"


def add(call: Call) -> None:
    """Create an FTP account."""
    webspace = _webspace(call)
    quota = number_of(call.element, "quota")
    may_read, may_write = _permissions(call.element)
    account = create_ftp_account(
        call.actor,
        NewFTPAccount(
            webspace_id=0 if webspace is None else webspace.pk,
            name=text_of(call.element, "name") or "",
            password=raw_text_of(call.element, "password") or "",
            home=text_of(call.element, "home") or "",
            quota_bytes=catalogue.UNLIMITED if quota is None else quota,
            may_read=may_read is not False,
            may_write=may_write is not False,
            makes_home=bool(boolean_of(call.element, "create-non-existent")),
        ),
    )
    with call.result() as writer:
        writer.leaf("id", account.pk)


def get(call: Call) -> None:
    """FTP accounts. Passwords are never returned."""
    answer_data(call, _selected(call), _data, empty=False)


def delete(call: Call) -> None:
    """Remove FTP accounts."""
    answer_each(call, _selected(call), lambda each: remove_ftp_account(call.actor, each.pk), empty=False)


def set_(call: Call) -> None:
    """Change FTP accounts."""
    values = call.element[1]
    may_read, may_write = _permissions(values)
    changes = FTPAccountChanges(
        name=text_of(values, "name"),
        password=raw_text_of(values, "password"),
        home=text_of(values, "home"),
        quota_bytes=number_of(values, "quota"),
        may_read=may_read,
        may_write=may_write,
        makes_home=bool(boolean_of(values, "create-non-existent")),
    )
    answer_each(call, _selected(call), lambda each: update_ftp_account(call.actor, each.pk, changes), empty=False)


def _permissions(element: etree._Element) -> tuple[bool | None, bool | None]:
    found = element.find("permissions")
    if found is None:
        return None, None
    return boolean_of(found, "read"), boolean_of(found, "write")


def _webspace(call: Call) -> Webspace | None:
    id_, name = text_of(call.element, "webspace-id"), text_of(call.element, "webspace-name")
    if id_ is None and name is None:
        return None
    return find_webspace(call.actor, id=None if id_ is None else number(id_), name=name)


def _selected(call: Call) -> Iterator[Selected[FTPAccount]]:
    accounts = visible_ftp_accounts(call.actor).order_by("pk")
    if (narrowing := _webspace(call)) is not None:
        accounts = accounts.filter(webspace=narrowing)

    def of_webspace(**key: int | str) -> Iterable[FTPAccount]:
        return accounts.filter(webspace=find_webspace(call.actor, **key))  # type: ignore[arg-type]

    kinds: Kinds[FTPAccount] = {
        "id": Key(accounts, "pk", number, lambda account: account.pk, MISSING),
        "name": Key(accounts, "name", str, lambda account: account.name, MISSING),
        "webspace-id": lambda text: of_webspace(id=number(text)),
        "webspace-name": lambda text: of_webspace(name=text),
    }
    return select(call.element.find("filter"), kinds, lambda: accounts.iterator(500))


def _data(_accounts: Sequence[FTPAccount]) -> Callable[[Writer, FTPAccount], None]:
    def write(writer: Writer, account: FTPAccount) -> None:
        writer.leaf("name", account.name)
        writer.leaf("home", f"/{account.home}")
        writer.leaf("quota", account.quota_bytes)
        with writer.element("permissions"):
            writer.leaf("read", account.may_read)
            writer.leaf("write", account.may_write)
        writer.leaf("webspace-id", account.webspace_id)

    return write


OPERATIONS = {"add": add, "set": set_, "del": delete, "get": get}
