"""`bin customer` (`client`), `bin subscription` (`domain`) and `bin site`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from innkeeper.doors.cli.parser import UsageError
from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb, password

CONTACT = {
    "name": "contact_name",
    "company": "company_name",
    "phone": "phone",
    "fax": "fax",
    "email": "email",
    "address": "street_address",
    "city": "city",
    "state": "state",
    "zip": "postal_code",
    "country": "country",
    "locale": "locale",
}


def _no_options(line: Line) -> None:
    if line.options:
        raise UsageError(f"-{next(iter(line.options))}: not with --{line.verb}.")


def _life(kind: str, key: str, word: str, on: str, off: str) -> dict[str, Verb]:
    """The commands that are alike for each kind of object."""

    def switch(suspended: bool) -> Callable[[Line], int]:
        def run(line: Line) -> int:
            _no_options(line)
            arguments = {key: line.objects[0], "suspended": suspended}
            done = f"{word} '{line.objects[0]}' {'suspended' if suspended else 'activated'}"
            return line.change(f"{kind}.status", arguments, done)

        return run

    def remove(line: Line) -> int:
        _no_options(line)
        return line.change(f"{kind}.remove", {key: line.objects[0]}, f"Removal of {word} '{line.objects[0]}' complete")

    def listing(line: Line) -> int:
        _no_options(line)
        return line.rows(f"{kind}.list", {}, f"{kind}s", key)

    objects = (key.upper(),)
    return {
        "remove": Verb("r", objects, "remove it with everything that belongs to it", remove),
        on: Verb("", objects, "activate it", switch(False)),
        off: Verb("", objects, "suspend it", switch(True)),
        "list": Verb("l", (), "list all", listing),
    }


def _required(line: Line, *names: str) -> None:
    for name in names:
        if name not in line.options:
            raise UsageError(f"-{name}: it is missing.")


def create_customer(line: Line) -> int:
    """`--create LOGIN -name NAME -passwd PASSWORD`"""
    _required(line, "name", "passwd")
    arguments: dict[str, Any] = {"login": line.objects[0], "owner": line.options.get("owner")}
    arguments |= {CONTACT[name]: value for name, value in line.options.items() if name in CONTACT}
    secret = password(line)
    arguments["password"] = secret["value"] if secret else None
    return line.change("customer.create", arguments, f"Creation of customer '{line.objects[0]}' complete")


def create_webspace(line: Line) -> int:
    """`--create NAME [-owner LOGIN] [-login LOGIN -passwd PASSWORD]`"""
    arguments = {"name": line.objects[0], "owner": line.options.get("owner"), "login": line.options.get("login")}
    if secret := password(line):
        arguments["password"] = secret["value"]
    return line.change("webspace.create", arguments, f"Creation of subscription '{line.objects[0]}' complete")


def create_site(line: Line) -> int:
    """`--create NAME -webspace-name NAME`"""
    _required(line, "webspace-name")
    arguments = {"name": line.objects[0], "webspace": line.options["webspace-name"]}
    return line.change("site.create", arguments, f"Creation of site '{line.objects[0]}' complete")


def _customer(name: str) -> Utility:
    return Utility(
        name,
        {
            "create": Verb("c", ("LOGIN",), "create a customer", create_customer),
            **_life("customer", "login", "customer", "on", "off"),
        },
        {
            **{option: Option(str, f"contact data: {field.replace('_', ' ')}") for option, field in CONTACT.items()},
            "passwd": Option(str, "password of the panel; - reads standard input, '' takes PSA_PASSWORD"),
            "owner": Option(str, "the reseller that it belongs to"),
        },
    )


def _webspace(name: str) -> Utility:
    return Utility(
        name,
        {
            "create": Verb("c", ("NAME",), "create a subscription with its main site", create_webspace),
            **_life("webspace", "name", "subscription", "on", "off"),
        },
        {
            "owner": Option(str, "the customer that it belongs to"),
            "login": Option(str, "system user of its web hosting"),
            "passwd": Option(str, "that user's password; - reads standard input, '' takes PSA_PASSWORD"),
        },
    )


UTILITIES = {
    "customer": _customer("customer"),
    "client": _customer("client"),
    "subscription": _webspace("subscription"),
    "domain": _webspace("domain"),
    "site": Utility(
        "site",
        {
            "create": Verb("c", ("NAME",), "create a site in a subscription", create_site),
            **_life("site", "name", "site", "activate", "suspend"),
        },
        {"webspace-name": Option(str, "the subscription that it lies in")},
    ),
}
