"""Keeps the Sieve script of an account in step with its automatic replies."""

from __future__ import annotations

from innkeeper.core.errors import InvalidValue
from innkeeper.mail.operations.site import Site, find_sites
from innkeeper.mail.operations.state import AccountState, load, update
from innkeeper.mail.sieve import SCRIPT_BYTES, ReplyNotEncodable, render

BATCH = 1_000


def refresh(site: Site, state: AccountState) -> None:
    """Render the script again. Raises InvalidValue for replies that no script can hold."""
    if not state.replies and state.script is None:
        return
    try:
        script = render(
            state.replies if state.autoresponders_enabled else [],
            address=site.address(state.name),
            aliases=[site.address(alias) for alias in state.aliases],
            files=state.files,
            keeps_mail=state.mailbox_enabled,
        )
    except ReplyNotEncodable as error:
        raise InvalidValue(
            f"autoresponder/charset: the text has characters that {error} lacks. Use UTF-8.",
            field="autoresponder/charset",
        ) from error
    size = len(script.encode()) if script is not None else 0
    if size > SCRIPT_BYTES:
        raise InvalidValue(
            f"autoresponder/text: the replies take {size} bytes together, {SCRIPT_BYTES} are possible. Shorten a text.",
            field="autoresponder/text",
        )
    state.script = script


def refresh_site(site_id: int) -> None:
    """Render every script of a site again, because its name changed. Call it inside that change's transaction.

    Raises InvalidValue if a script outgrows its bound.
    """
    (site,) = find_sites([site_id])
    last = 0
    scripted = "EXISTS (SELECT 1 FROM mail_sievescript c WHERE c.account_id = a.id AND c.active)"
    condition = f"a.site_id = %s AND a.id > %s AND n.account_id > %s AND {scripted}"
    while states := load(condition, [site.id, last, last], replies=True, limit=BATCH):
        pairs = [(state, state.copy()) for state in states]
        for _, after in pairs:
            refresh(site, after)
        update(site, pairs)
        last = states[-1].id
