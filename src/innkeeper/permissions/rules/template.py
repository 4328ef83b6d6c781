"""Templates and their instances: rules of an account made from rules for any account, and taken out again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import LITERAL, Rule, joined, names_below
from innkeeper.permissions.rules.vocabulary import PLACEHOLDER, tag_named

# What makes two entries the same rule; unknown attributes and blanks do not.
_COMPARED = ("Account", "Domain", "Path", "AceFlags", "AccessMask", "EntryFlags", "Tag", "Tag2", "Template", LITERAL)
# In an instance, says which template an entry comes from; the entry goes with the template, and no other does.
TEMPLATE = "Template"


@dataclass(frozen=True, slots=True)
class Account:
    """Who a tag stands for in one hosting account."""

    name: str
    sid: Sid
    domain: str = ""


def fill(rule: Rule, accounts: Mapping[str, str]) -> Rule:
    """Put the account that the tag names in the place of ``Null``, if there is one for it."""
    name = accounts.get((tag_named(rule.tag) or rule.tag).casefold())
    if rule.account.casefold() != PLACEHOLDER.casefold() or name is None:
        return rule
    return replace(rule, account=name, is_well_known=False)


def instance_entries(
    template: Document, accounts: Mapping[str, Account], folder: str, name: str = ""
) -> list[dict[str, str]]:
    """The entries of a template as they stand in the instance of one hosting account.

    ``Null`` becomes the account that the tag names, with AccounType 1 and its SidStr; ``folder`` comes
    before each SubPath. An entry whose tag stands for nobody in this account is left out. Unknown attributes
    are kept. ``name`` is the template's, and is noted in each entry.
    """
    known = {tag.casefold(): account for tag, account in accounts.items()}
    entries = []
    for element in template.entries:
        values = element.values
        if element.get("Account").casefold() == PLACEHOLDER.casefold():
            account = known.get(element.get("Tag").casefold())
            if account is None:
                continue
            kind = "AccountType" if "AccountType" in values else "AccounType"
            values |= {kind: "1", "Account": account.name, "SidStr": account.sid}
            if account.domain:
                values["Domain"] = account.domain
        if _is_in_account(element.get("Path")):
            values["SubPath"] = joined((*folder.split("\\"), *names_below(values)), values)
        if name:
            values[TEMPLATE] = name
        entries.append(values)
    return entries


def add(instance: Document, entries: list[dict[str, str]]) -> Document:
    """Add the entries that are not there yet."""
    present = {_key(element.values) for element in instance.entries}
    new = {key: values for values in entries if (key := _key(values)) not in present}
    return instance.with_entries(new.values())


def remove(instance: Document, entries: list[dict[str, str]]) -> Document:
    """Take out exactly these entries; what else stands in the file stays."""
    keys = {_key(values) for values in entries}
    return instance.without_all(element for element in instance.entries if _key(element.values) in keys)


def remove_template(instance: Document, name: str) -> Document:
    """Take out exactly the entries that a template brought."""
    return instance.without_all(element for element in instance.entries if element.get(TEMPLATE) == name)


def move(instance: Document, old: str, new: str) -> Document:
    """Let the entries of an account that was renamed be about its new folder."""
    folder = tuple(old.split("\\"))
    for number in range(len(instance.entries)):
        element = instance.entries[number]
        below = names_below(element.values)
        if _is_in_account(element.get("Path")) and below[: len(folder)] == folder:
            moved = joined((*new.split("\\"), *below[len(folder) :]), element.values)
            instance = instance.with_value(element, "SubPath", moved)
    return instance


def rename_accounts(instance: Document, names: Mapping[tuple[str, str], Account]) -> Document:
    """Put other accounts in the place of some, each known by a tag and its name, with their identifiers."""
    known = {(tag.casefold(), name): account for (tag, name), account in names.items()}
    for number in range(len(instance.entries)):
        element = instance.entries[number]
        account = known.get((element.get("Tag").casefold(), element.get("Account")))
        if account is not None:
            instance = instance.with_value(element, "SidStr", account.sid)
            instance = instance.with_value(instance.entries[number], "Account", account.name)
    return instance


def _is_in_account(path: str) -> bool:
    """True for a path that stands for the folder of all hosting, so that a folder of the account has to follow."""
    return path.strip("[]%").casefold() in ("httpd_vhosts_d", "plesk_vhosts")


def remove_account(instance: Document, name: str, sid: Sid | None = None) -> Document:
    """Take out every entry of one account."""
    return instance.without_all(
        element
        for element in instance.entries
        if element.get("Account").casefold() == name.casefold() or (sid is not None and element.get("SidStr") == sid)
    )


def _key(values: Mapping[str, str]) -> tuple[str, ...]:
    return (*(values.get(name, "").strip().casefold() for name in _COMPARED), *names_below(values))
