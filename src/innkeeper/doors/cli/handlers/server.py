"""Secret keys, IP addresses, the administrator, and settings of the server."""

from __future__ import annotations

from innkeeper.accounts import operations as accounts
from innkeeper.accounts.contact import LENGTHS
from innkeeper.accounts.models import Account
from innkeeper.accounts.queries import visible_keys
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.network import machine
from innkeeper.network import operations as network
from innkeeper.network.queries import visible_addresses

SETTINGS = ("outgoing_messages_mbox_limit", "outgoing_messages_domain_limit", "outgoing_messages_subscription_limit")
"""The settings that the command line shows and changes: each acts."""


def create_key(request: Request) -> Result:
    """Create a secret key; this answer is the only place where it stands."""
    new = accounts.NewKey(
        address=request.optional_text("address") or "",
        description=request.optional_text("description") or "",
        login=request.optional_text("login") or "",
    )
    return {"key": accounts.create_key(request.actor, new)}


def list_keys(request: Request) -> Result:
    """All secret keys, without the keys themselves, as rows."""
    request.send_rows(
        {"id": key.pk, "addresses": key.addresses, "login": key.account.login, "description": key.description}
        for key in visible_keys(request.actor)
    )
    return {}


def remove_key(request: Request) -> Result:
    """Remove a secret key by its text or its id."""
    accounts.remove_key(request.actor, request.text("key"))
    return {}


def create_address(request: Request) -> Result:
    """Offer an address to hosting."""
    row = network.create_address(
        request.actor,
        network.NewAddress(
            address=request.text("address"),
            netmask=request.text("netmask"),
            type=request.text("type"),
            interface=request.text("interface"),
            public_address=request.optional_text("public_ip") or "",
        ),
    )
    return {"address": row.address}


def update_address(request: Request) -> Result:
    """Change an address."""
    changes = network.AddressChanges(request.optional_text("type"), request.optional_text("public_ip"))
    return {"address": network.update_address(request.actor, request.text("address"), changes).address}


def remove_address(request: Request) -> Result:
    """Offer an address no longer."""
    address = request.text("address")
    network.remove_address(request.actor, address)
    return {"address": address}


def list_addresses(request: Request) -> Result:
    """All addresses, as rows."""
    request.send_rows(
        {
            "address": row.address,
            "type": row.type,
            "netmask": row.netmask,
            "interface": row.interface,
            "public_ip": row.public_address,
        }
        for row in visible_addresses(request.actor)
    )
    return {}


def list_interfaces(request: Request) -> Result:
    """The machine's network interfaces, as rows."""
    request.send_rows({"interface": name} for name in machine.interface_names())
    return {}


def update_administrator(request: Request) -> Result:
    """Change the administrator's contact data and password."""
    contact = {name: value for name in LENGTHS if (value := request.optional_text(name)) is not None}
    changes = accounts.AdministratorChanges(contact, request.optional_text("password"))
    return {"login": accounts.update_administrator(request.actor, changes).login}


def administrator(request: Request) -> Result:
    """The administrator's account, without its password."""
    account = Account.objects.get(pk=request.actor.account_id)
    return {"login": account.login} | {name: getattr(account, name) or "" for name in LENGTHS}


def settings(request: Request) -> Result:
    """Show or change settings of the server."""
    given = {name: value for name in SETTINGS if (value := request.optional_text(name)) is not None}
    if given:
        accounts.update_administrator(request.actor, accounts.AdministratorChanges(), given)
    return {name: int(read_setting(name)) for name in SETTINGS}


HANDLERS: dict[str, Handler] = {
    "key.create": create_key,
    "key.list": list_keys,
    "key.remove": remove_key,
    "address.create": create_address,
    "address.update": update_address,
    "address.remove": remove_address,
    "address.list": list_addresses,
    "address.interfaces": list_interfaces,
    "administrator.update": update_administrator,
    "administrator.info": administrator,
    "server.settings": settings,
}
