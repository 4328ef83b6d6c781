"""Operator `customer`: people and companies that own webspaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from django.db.models.functions import Lower

from innkeeper.accounts.models import Account
from innkeeper.accounts.operations import (
    CustomerChanges,
    NewCustomer,
    create_customer,
    remove_customer,
    update_customer,
)
from innkeeper.accounts.queries import find_owner, named, visible_accounts, visible_customers
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotFound
from innkeeper.doors.xmlapi.call import Call, in_packet_words, raw_text_of, text_of
from innkeeper.doors.xmlapi.domain_list import write_domains
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, answer_each, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting.statistics import figures_of_owners

OPERATOR = "customer"
DIALECTS = (Dialect.NEW,)
MISSING = "client does not exist"

# The protocol's elements in the order of the answer, and what holds them.
CONTACT = {
    "cname": "company_name",
    "pname": "contact_name",
    "phone": "phone",
    "fax": "fax",
    "email": "email",
    "address": "street_address",
    "city": "city",
    "state": "state",
    "pcode": "postal_code",
    "country": "country",
    "locale": "locale",
    "external-id": "external_id",
    "description": "description",
}


def add(call: Call) -> None:
    """Create a customer."""
    given = call.element[0]
    owner = owner_of(call, text_of(given, "owner-id"), text_of(given, "owner-login"), None,
                     text_of(given, "owner-external-id"))  # fmt: skip
    new = NewCustomer(
        login=text_of(given, "login") or "",
        password=raw_text_of(given, "passwd") or "",
        contact=contact_of(call),
        owner_id=None if owner is None else owner.pk,
        status=int(text_of(given, "status") or 0),
    )
    with in_packet_words(CONTACT):
        account = create_customer(call.actor, new)
    with call.result() as writer:
        writer.leaf("id", account.pk)
        writer.leaf("guid", account.guid)


def owner_of(
    call: Call, id_: str | None, login: str | None, guid: str | None, external_id: str | None
) -> Account | None:
    """The account that an owner reference names; None if there is no reference. Raises OwnerNotFound."""
    if (id_, login, guid, external_id) == (None, None, None, None):
        return None
    key = None if id_ is None else number(id_)
    return find_owner(call.actor, id=key, login=login, guid=guid, external_id=external_id)


def contact_of(call: Call) -> dict[str, str]:
    """The contact fields of a `gen_info` that are there."""
    given = call.element.find(".//gen_info")
    values: dict[str, str] = {}
    if given is None:
        return values
    for tag, name in CONTACT.items():
        text = raw_text_of(given, tag) if tag == "description" else text_of(given, tag)
        if text is not None:
            values[name] = text
    return values


def get(call: Call) -> None:
    """Customers, with the blocks that the dataset asks for."""
    answer_data(call, selected(call), lambda accounts: _blocks(call, accounts), empty=False)


def set_(call: Call) -> None:
    """Change customers."""
    given = call.element.find("values/gen_info")
    changes = CustomerChanges()
    if given is not None:
        status = text_of(given, "status")
        changes = CustomerChanges(
            contact=contact_of(call),
            login=text_of(given, "login"),
            password=raw_text_of(given, "passwd"),
            status=None if status is None else int(status),
            new_guid=given.find("guid") is not None,
        )

    def change(account: Account) -> None:
        with in_packet_words(CONTACT):
            update_customer(call.actor, account.pk, changes)

    answer_each(call, selected(call), change, empty=False)


def delete(call: Call) -> None:
    """Remove customers with everything that they own."""
    answer_each(call, selected(call), lambda each: remove_customer(call.actor, each.pk), empty=False)


def get_domain_list(call: Call) -> None:
    """The sites of customers; of the caller itself, too, if it asks for all and is no customer."""
    chosen: Iterable[Selected[Account]] = selected(call)
    if len(call.element[0]) == 0 and call.actor.kind is not ActorKind.CUSTOMER:
        chosen = _with_caller(call.actor, chosen)
    answer_data(call, chosen, lambda accounts: write_domains([each.pk for each in accounts]), empty=False)


def _with_caller(actor: Actor, rest: Iterable[Selected[Account]]) -> Iterator[Selected[Account]]:
    own = Account.objects.get(pk=actor.account_id)
    yield Selected(str(own.pk), own)
    yield from rest


def selected(call: Call) -> Iterator[Selected[Account]]:
    """The customers of the operation's filter."""
    customers = visible_customers(call.actor).select_related("owner")

    def by_owner(owners: Iterable[Account]) -> Iterable[Account]:
        owner = next(iter(owners), None)
        if owner is None or owner.kind == Account.Kind.CUSTOMER:
            raise NotFound("Owner does not exist")
        return customers.filter(owner=owner).order_by("pk")

    accounts = visible_accounts(call.actor)
    by_login = customers.alias(folded=Lower("login"))
    kinds: Kinds[Account] = {
        "id": Key(customers, "pk", number, lambda each: each.pk, MISSING),
        "login": Key(by_login, "folded", str.lower, lambda each: each.login.lower(), MISSING),
        "guid": Key(customers, "guid", str.lower, lambda each: each.guid, MISSING),
        "external-id": Key(customers, "external_id", str, lambda each: each.external_id, MISSING),
        "owner-id": lambda text: by_owner(named(accounts, id=number(text))),
        "owner-login": lambda text: by_owner(named(accounts, login=text)),
    }
    return select(call.element.find("filter"), kinds, lambda: customers.order_by("pk").iterator(500))


def _blocks(call: Call, accounts: Sequence[Account]) -> Callable[[Writer, Account], None]:
    wanted = {str(child.tag) for child in call.element[1]}
    figures = figures_of_owners(each.pk for each in accounts) if "stat" in wanted else {}

    def write(writer: Writer, account: Account) -> None:
        if not wanted:
            return
        with writer.element("data"):
            if "gen_info" in wanted:
                with writer.element("gen_info"):
                    _write_account(writer, account, with_owner_login=call.actor.is_administrator)
            if "stat" in wanted:
                found = figures[account.pk]
                with writer.element("stat"):
                    for tag, value in (
                        ("active_domains", found.active_domains),
                        ("subdomains", found.subdomains),
                        ("disk_space", found.bytes),
                        ("postboxs", found.mailboxes),
                        ("redirects", found.redirects),
                        ("mail_groups", found.mail_groups),
                        ("mail_resps", found.autoresponders),
                        # Where nothing of a kind is served yet, there is nothing to count.
                        ("mail_lists", 0),
                        ("web_users", found.web_users),
                        ("data_bases", 0),
                        ("traffic", 0),
                        ("traffic_prevday", 0),
                    ):
                        writer.leaf(tag, value)

    return write


def _write_account(writer: Writer, account: Account, *, with_owner_login: bool) -> None:
    writer.leaf("cr_date", account.created_at.date().isoformat())
    writer.leaf("cname", account.company_name)
    writer.leaf("pname", account.contact_name)
    writer.leaf("login", account.login)
    writer.leaf("status", account.status)
    for tag in ("phone", "fax", "email", "address", "city", "state", "pcode", "country", "locale"):
        writer.leaf(tag, getattr(account, CONTACT[tag]))
    writer.leaf("guid", account.guid)
    if account.owner is not None:
        writer.leaf("owner-id", account.owner.pk)
        if with_owner_login:
            writer.leaf("owner-login", account.owner.login)
        writer.leaf("vendor-guid", account.owner.guid)
    writer.leaf("external-id", account.external_id)
    writer.leaf("description", account.description)


OPERATIONS = {"add": add, "get": get, "set": set_, "del": delete, "get-domain-list": get_domain_list}
