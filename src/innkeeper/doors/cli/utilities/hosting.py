"""`bin customer` (`client`), `bin subscription` (`domain`), `bin subscription_settings` and `bin site`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb, password
from innkeeper.doors.cli.values import one_of, size, switch

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
SIZES = {"disk_space": "disk space", "max_traffic": "traffic a month", "mbox_quota": "size of a mailbox"}
COUNTS = {
    "max_site": "domains",
    "max_subdom": "subdomains",
    "max_wu": "web users",
    "max_subftp_users": "additional FTP accounts",
    "max_box": "mailboxes",
    "max_redir": "mail redirects",
    "max_mg": "mail groups",
    "max_resp": "automatic replies",
}


def contact_options() -> dict[str, Option]:
    """The options of contact data."""
    return {option: Option(str, f"contact data: {field.replace('_', ' ')}") for option, field in CONTACT.items()}


def _life(kind: str, key: str, word: str, on: str, off: str) -> dict[str, Verb]:
    """The commands that are alike for each kind of object."""

    def switch(suspended: bool) -> Callable[[Line], int]:
        def run(line: Line) -> int:
            line.no_options()
            arguments = {key: line.objects[0], "suspended": suspended}
            done = f"{word} '{line.objects[0]}' {'suspended' if suspended else 'activated'}"
            return line.change(f"{kind}.status", arguments, done)

        return run

    def remove(line: Line) -> int:
        line.no_options()
        return line.change(f"{kind}.remove", {key: line.objects[0]}, f"Removal of {word} '{line.objects[0]}' complete")

    def listing(line: Line) -> int:
        return line.rows(f"{kind}.list", {}, f"{kind}s", key)

    def info(line: Line) -> int:
        line.no_options()
        return line.show(f"{kind}.info", {key: line.objects[0]})

    objects = (key.upper(),)
    return {
        "info": Verb("i", objects, "show it", info),
        "remove": Verb("r", objects, "remove it with everything that belongs to it", remove),
        on: Verb("", objects, "activate it", switch(False)),
        off: Verb("", objects, "suspend it", switch(True)),
        "list": Verb("l", (), "list all", listing),
    }


def create_customer(line: Line) -> int:
    """`--create LOGIN -name NAME -passwd PASSWORD`"""
    line.only("owner", "passwd", *CONTACT)
    line.required("name", "passwd")
    arguments: dict[str, Any] = {"login": line.objects[0], "owner": line.options.get("owner")}
    arguments |= {CONTACT[name]: value for name, value in line.options.items() if name in CONTACT}
    secret = password(line)
    arguments["password"] = secret["value"] if secret else None
    return line.change("customer.create", arguments, f"Creation of customer '{line.objects[0]}' complete")


def update_customer(line: Line) -> int:
    """`--update LOGIN`"""
    line.only("login", "passwd", *CONTACT)
    line.something()
    arguments: dict[str, Any] = {CONTACT[name]: value for name, value in line.options.items() if name in CONTACT}
    arguments |= {"login": line.objects[0], "new_login": line.options.get("login")}
    if secret := password(line):
        arguments["password"] = secret["value"]
    return line.change("customer.update", arguments, f"Update of customer '{line.objects[0]}' complete")


def create_webspace(line: Line) -> int:
    """`--create NAME [-owner LOGIN] [-login LOGIN -passwd PASSWORD]`"""
    line.only("owner", "login", "passwd")
    arguments = {"name": line.objects[0], "owner": line.options.get("owner"), "login": line.options.get("login")}
    if secret := password(line):
        arguments["password"] = secret["value"]
    return line.change("webspace.create", arguments, f"Creation of subscription '{line.objects[0]}' complete")


def update_webspace(line: Line) -> int:
    """`--update NAME`"""
    line.only("new_name", "login", "passwd", "hard_quota", "mail_service")
    line.something()
    options = line.options
    arguments: dict[str, Any] = {"name": line.objects[0]}
    arguments |= {name: value for name, value in options.items() if name != "passwd"}
    if "hard_quota" in options:
        arguments["hard_quota"] = str(options["hard_quota"])
    if secret := password(line):
        arguments["password"] = secret["value"]
    return line.change("webspace.update", arguments, f"Update of subscription '{line.objects[0]}' complete")


def change_owner(line: Line) -> int:
    """`--change-owner NAME -owner LOGIN`"""
    line.only("owner")
    line.required("owner")
    arguments = {"name": line.objects[0], "new_owner": line.options["owner"]}
    return line.change("webspace.update", arguments, f"Change of owner of subscription '{line.objects[0]}' complete")


def update_limits(line: Line) -> int:
    """`--update NAME` of the limits"""
    line.something()
    limits = {name: str(value) for name, value in line.options.items()}
    arguments = {"name": line.objects[0], "limits": limits}
    return line.change("webspace.update", arguments, f"Update of settings of subscription '{line.objects[0]}' complete")


def show_webspace(line: Line) -> int:
    """`--info NAME`"""
    line.no_options()
    return line.show("webspace.info", {"name": line.objects[0]})


def create_site(line: Line) -> int:
    """`--create NAME -webspace-name NAME`"""
    line.only("webspace-name")
    line.required("webspace-name")
    arguments = {"name": line.objects[0], "webspace": line.options["webspace-name"]}
    return line.change("site.create", arguments, f"Creation of site '{line.objects[0]}' complete")


def update_site(line: Line) -> int:
    """`--update NAME`"""
    line.only("new_name", "mail_service", "status")
    line.something()
    arguments: dict[str, Any] = {"name": line.objects[0]}
    arguments |= {name: value for name, value in line.options.items() if name != "status"}
    if "status" in line.options:
        arguments["suspended"] = line.options["status"] == "disabled"
    return line.change("site.update", arguments, f"Update of site '{line.objects[0]}' complete")


def _count(text: str) -> str:
    if text in ("-1", "unlimited"):
        return "-1"
    if text.isascii() and text.isdigit():
        return text
    raise ValueError("a number, or -1 for no limit")


def _day(text: str) -> str:
    if text in ("-1", "never"):
        return "-1"
    import datetime  # for a date alone

    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise ValueError("a day such as 2030-12-31, or -1 for none") from None
    return str(int(day.timestamp()))


def _customer(name: str) -> Utility:
    return Utility(
        name,
        {
            "create": Verb("c", ("LOGIN",), "create a customer", create_customer),
            "update": Verb("u", ("LOGIN",), "change contact data, -login or -passwd", update_customer),
            **_life("customer", "login", "customer", "on", "off"),
        },
        {
            **contact_options(),
            "passwd": Option(str, "password of the panel; - reads standard input, '' takes PSA_PASSWORD"),
            "owner": Option(str, "the reseller that it belongs to, with --create"),
            "login": Option(str, "its new login, with --update"),
        },
    )


def _webspace(name: str) -> Utility:
    return Utility(
        name,
        {
            "create": Verb("c", ("NAME",), "create a subscription with its main site", create_webspace),
            "update": Verb("u", ("NAME",), "change it", update_webspace),
            "change-owner": Verb("", ("NAME",), "give it to the customer -owner", change_owner),
            **_life("webspace", "name", "subscription", "on", "off"),
        },
        {
            "owner": Option(str, "the customer that it belongs to"),
            "login": Option(str, "system user of its web hosting"),
            "passwd": Option(str, "that user's password; - reads standard input, '' takes PSA_PASSWORD"),
            "hard_quota": Option(size, "that user's disk quota such as 200M, or -1; with --update"),
            "new_name": Option(str, "its new name, with --update"),
            "mail_service": Option(switch, "true|false: the mail service of its main site, with --update"),
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
            "update": Verb("u", ("NAME",), "change it", update_site),
            **_life("site", "name", "site", "activate", "suspend"),
        },
        {
            "webspace-name": Option(str, "the subscription that it lies in, with --create"),
            "new_name": Option(str, "its new name, with --update"),
            "mail_service": Option(switch, "true|false: its mail service, with --update"),
            "status": Option(one_of("enabled", "disabled"), "enabled|disabled, with --update"),
        },
    ),
    "subscription_settings": Utility(
        "subscription_settings",
        {
            "update": Verb("u", ("NAME",), "change limits of a subscription", update_limits),
            "info": Verb("i", ("NAME",), "show the subscription with them", show_webspace),
        },
        {
            **{name: Option(size, f"{what}: bytes, or with K, M, G; -1: unlimited") for name, what in SIZES.items()},
            **{name: Option(_count, f"{what}: a number; -1: unlimited") for name, what in COUNTS.items()},
            "expiration": Option(_day, "last day, YYYY-MM-DD; -1: none"),
        },
    ),
}
