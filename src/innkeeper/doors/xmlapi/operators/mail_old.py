"""Operator `mail` in the old dialect: `domain_id`, redirects, mail groups, repositories, several automatic replies."""

from __future__ import annotations

from innkeeper.core.errors import NotFound
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.mail_old_answers import write_infos, write_preferences
from innkeeper.doors.xmlapi.mail_old_requests import account_change
from innkeeper.doors.xmlapi.operators import mail
from innkeeper.doors.xmlapi.versions import Dialect

OPERATOR = "mail"
DIALECTS = (Dialect.OLD,)


def create(call: Call) -> None:
    """Create accounts on one domain."""
    mail.create_accounts(call, account_change)


def update(call: Call) -> None:
    """Add to, take from or replace settings of accounts of one domain."""
    mail.update_accounts(call, account_change)


def get_info(call: Call) -> None:
    """Accounts of one domain, with the parts that the request asks for."""
    site_id, names = mail.site_and_names(call.element)
    flags = frozenset(str(child.tag) for child in call.element if child.tag != "filter")
    try:
        write_infos(call, site_id, names, flags)
    except NotFound as error:
        mail.write_outcomes(call, mail.missing_site(names, error))


def set_prefs(call: Call) -> None:
    """Change mail preferences of domains; of every visible one if none is named."""
    mail.set_preferences(call, "domain_id")


def get_prefs(call: Call) -> None:
    """Mail preferences of domains; of every visible one if none is named."""
    site_ids, shown = mail.filter_ids(call.element[0])
    write_preferences(call, site_ids or None, shown)


OPERATIONS = {
    "create": create,
    "update": update,
    "get_info": get_info,
    "remove": mail.remove,
    "rename": mail.rename,
    "enable": mail.enable,
    "disable": mail.disable,
    "set_prefs": set_prefs,
    "get_prefs": get_prefs,
}
