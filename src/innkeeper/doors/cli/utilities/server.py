"""`bin secret_key`, `bin ipmanage`, `bin admin` and `bin mailserver`."""

from __future__ import annotations

from collections.abc import Callable

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import ask
from innkeeper.doors.cli.utilities.hosting import CONTACT, contact_options
from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb, password
from innkeeper.doors.cli.values import hourly, one_of

# ---- secret keys


def create_key(line: Line) -> int:
    """`--create -ip-address ADDRESS`"""
    line.only("ip-address", "description", "login")
    line.required("ip-address")
    names = {"ip-address": "address", "description": "description", "login": "login"}
    arguments = {names[name]: value for name, value in line.options.items()}
    result = ask(line.state, {"command": "key.create", "arguments": arguments, "plan": line.plan})
    if line.plan:
        output.plan(result, as_object=line.json)
    elif line.json:
        output.as_json(result)
    else:
        output.line(result["key"])
    return 0


def list_keys(line: Line) -> int:
    """`--list`"""
    return line.rows("key.list", {}, "keys", "id", "addresses", "login", "description")


def delete_key(line: Line) -> int:
    """`--delete -key KEY`"""
    line.only("key")
    line.required("key")
    return line.change("key.remove", {"key": line.options["key"]}, "Removal of the secret key complete")


# ---- IP addresses


def create_address(line: Line) -> int:
    """`--create ADDRESS -type TYPE -mask MASK -interface NAME`"""
    line.required("type", "mask", "interface")
    options = line.options
    arguments = {"address": line.objects[0], "netmask": options["mask"]}
    arguments |= {name: options[name] for name in options if name != "mask"}
    return line.change("address.create", arguments, f"Creation of IP address '{line.objects[0]}' complete")


def update_address(line: Line) -> int:
    """`--update ADDRESS`"""
    line.only("type", "public_ip")
    line.something()
    arguments = {"address": line.objects[0]} | line.options
    return line.change("address.update", arguments, f"Update of IP address '{line.objects[0]}' complete")


def remove_address(line: Line) -> int:
    """`--remove ADDRESS`"""
    line.no_options()
    done = f"Removal of IP address '{line.objects[0]}' complete"
    return line.change("address.remove", {"address": line.objects[0]}, done)


def list_addresses(line: Line) -> int:
    """`--ip_list`"""
    return line.rows("address.list", {}, "addresses", "address", "type", "netmask", "interface", "public_ip")


def list_interfaces(line: Line) -> int:
    """`--interface_list`"""
    return line.rows("address.interfaces", {}, "interfaces", "interface")


# ---- the administrator


def set_admin_password(line: Line) -> int:
    """`--set-admin-password -passwd PASSWORD`"""
    line.only("passwd")
    line.required("passwd")
    secret = password(line)
    arguments = {"password": secret["value"] if secret else None}
    return line.change("administrator.update", arguments, "Update of the administrator's password complete")


def update_admin(line: Line) -> int:
    """`--update`"""
    line.something()
    line.only(*CONTACT)
    arguments = {CONTACT[name]: value for name, value in line.options.items()}
    return line.change("administrator.update", arguments, "Update of the administrator's data complete")


def show_admin(line: Line) -> int:
    """`--info`"""
    line.no_options()
    return line.show("administrator.info", {})


# ---- the mail server

LIMITS = {
    f"outgoing-messages-{scope}-limit": f"outgoing_messages_{scope}_limit"
    for scope in ("mbox", "domain", "subscription")
}


def set_limit(name: str) -> Callable[[Line], int]:
    """`--set-outgoing-messages-SCOPE-limit LIMIT`"""

    def run(line: Line) -> int:
        line.no_options()
        limit = line.objects[0]
        try:
            arguments = {LIMITS[name]: hourly(limit)}
        except ValueError:
            arguments = {LIMITS[name]: limit}  # the operation says what is wrong
        return line.change("server.settings", arguments, "Update of the mail server complete")

    return run


def show_mail_server(line: Line) -> int:
    """`--info`"""
    line.no_options()
    return line.show("server.settings", {})


UTILITIES = {
    "secret_key": Utility(
        "secret_key",
        {
            "create": Verb(
                "c", (), "create a key of the XML API for the clients of -ip-address, and print it", create_key
            ),
            "list": Verb(
                "l", (), "list keys by id, addresses, login and description; a key itself is stored nowhere", list_keys
            ),
            "delete": Verb("d", (), "remove the key -key", delete_key),
        },
        {
            "ip-address": Option(str, "address that the key is used from; several joined by commas"),
            "description": Option(str, "free text"),
            "login": Option(str, "customer or reseller whom it acts for; else the administrator"),
            "key": Option(str, "a key, or its id"),
        },
    ),
    "ipmanage": Utility(
        "ipmanage",
        {
            "create": Verb("c", ("ADDRESS",), "offer an address to hosting", create_address),
            "update": Verb("u", ("ADDRESS",), "change it", update_address),
            "remove": Verb("r", ("ADDRESS",), "offer it no longer", remove_address),
            "ip_list": Verb("", (), "list addresses with type, mask and interface", list_addresses),
            "interface_list": Verb("", (), "list the machine's network interfaces", list_interfaces),
        },
        {
            "type": Option(one_of("shared", "exclusive"), "shared|exclusive: for all owners, or for one"),
            "mask": Option(str, "netmask, such as 255.255.255.0 or 64"),
            "interface": Option(str, "network interface"),
            "public_ip": Option(str, "the address that the world sees in its place, or ''"),
        },
    ),
    "admin": Utility(
        "admin",
        {
            "set-admin-password": Verb("", (), "give the administrator the password -passwd", set_admin_password),
            "update": Verb("u", (), "change the administrator's contact data", update_admin),
            "info": Verb("i", (), "show it", show_admin),
        },
        {"passwd": Option(str, "the password; - reads standard input, '' takes PSA_PASSWORD"), **contact_options()},
    ),
    "mailserver": Utility(
        "mailserver",
        {
            "info": Verb("i", (), "show settings of the mail server", show_mail_server),
            **{
                f"set-{name}": Verb("", ("LIMIT",), "messages an hour; -1: unlimited", set_limit(name))
                for name in LIMITS
            },
        },
        {},
    ),
}
