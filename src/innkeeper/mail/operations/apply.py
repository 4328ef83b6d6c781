"""What a change makes of an account: the table of semantics, in memory.

A setting that the change does not mention stays. `ADD` unites lists, `REMOVE` takes from them and resets, `SET`
replaces a list that has members and stores a scalar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from innkeeper.core.errors import AlreadyExists, InvalidValue, NotFound
from innkeeper.mail.operations.checks import Checked, outgoing_limit
from innkeeper.mail.operations.state import AccountState
from innkeeper.mail.replies import Reply, StoredFile, single_reply
from innkeeper.mail.requests import UNSET, AccountChange, Addresses, Attachment, Mode, NewFile, ReplyChange

CP_ACCESS = "cp_access"
"""The one permission that is a setting of its own, too."""
SINGLE_REPLY_NAME = "autoresponder"
MOST_ADDRESSES = 5_000
"""Postfix expands one recipient into 10,000 at most, nested groups included, and keeps the mail waiting beyond."""
MEBIBYTE = 1024 * 1024
ATTACHMENT_BYTES = 5 * MEBIBYTE
_REPLY_SCALARS = tuple(f.name for f in fields(ReplyChange) if f.name not in {"name", "attachments", "detached"})


@dataclass(slots=True)
class Sources:
    """What changes may refer to: the caller's uploads by handle, stored files by name and content, panel users."""

    uploads: Mapping[str, StoredFile] = field(default_factory=dict)
    users: frozenset[str] = frozenset()


def apply(state: AccountState, item: Checked, mode: Mode, sources: Sources) -> None:
    """Change `state`. Raises a Refused; the state may then be half changed and is to be thrown away."""
    change = item.change
    _apply_scalars(state, item, mode, sources)
    if change.redirect is not UNSET:
        state.redirect_enabled = _apply_list(state.redirect, state.redirect_enabled, change.redirect, mode, "redirect")
    if change.group is not UNSET:
        state.group_enabled = _apply_list(
            state.group, state.group_enabled, change.group, mode, "mailgroup", may_be_empty=True
        )
    if change.forwarding is not UNSET:
        _apply_forwarding(state, change.forwarding, mode)
    if change.aliases is not UNSET:
        _apply_aliases(state, change.aliases, mode)
    if change.files is not UNSET:
        _apply_files(state, change.files, mode, item.files)
    if change.autoresponders is not UNSET:
        if change.autoresponders.enabled is not UNSET and mode is not Mode.REMOVE:
            state.autoresponders_enabled = change.autoresponders.enabled
        _apply_replies(state, change.autoresponders.replies, mode, sources)
        ranks = {name: rank for rank, name in enumerate(change.autoresponders.order)}
        state.replies.sort(key=lambda reply: ranks.get(reply.name, len(ranks)))
    if change.autoresponder is not UNSET:
        _apply_single_reply(state, change.autoresponder, mode, sources)
    if len(state.redirect) + len(state.group) > MOST_ADDRESSES:
        raise InvalidValue(
            f"forwarding: {len(state.redirect) + len(state.group)} addresses are too many. Use at most"
            f" {MOST_ADDRESSES}.",
            field="forwarding",
        )
    _check_replies(state)


def _apply_scalars(state: AccountState, item: Checked, mode: Mode, sources: Sources) -> None:
    change = item.change
    if mode is Mode.REMOVE:
        # Of the scalars only rights can be taken away.
        if change.cp_access is not UNSET:
            state.cp_access = False
        if change.permissions is not UNSET:
            for name in change.permissions:
                state.permissions.pop(name, None)
            state.cp_access = state.cp_access and CP_ACCESS not in change.permissions
        return
    if change.cp_access is not UNSET:
        state.cp_access = change.cp_access
    if change.cp_options is not UNSET:
        state.cp_options.update(change.cp_options)
    if change.permissions is not UNSET:
        state.permissions.update(change.permissions)
        state.cp_access = state.permissions.pop(CP_ACCESS, state.cp_access)
    if change.mailbox_enabled is not UNSET:
        state.mailbox_enabled = change.mailbox_enabled
    if change.quota is not UNSET:
        state.quota = change.quota
    if item.password is not None:
        state.password = item.password
    if change.antivir is not UNSET:
        state.antivir = change.antivir
    if change.outgoing_limit is not UNSET:
        state.outgoing_limit = outgoing_limit(change.outgoing_limit)
    if change.description is not UNSET:
        state.description = change.description
    if change.color_scheme is not UNSET:
        state.color_scheme = change.color_scheme
    if change.user_guid is not UNSET:
        guid = change.user_guid.strip().lower()
        if guid and guid not in sources.users:
            raise NotFound("user-guid: there is no such user.", field="user-guid")
        state.user_guid = guid


def _apply_list(
    stored: list[str], enabled: bool, given: Addresses, mode: Mode, name: str, *, may_be_empty: bool = False
) -> bool:
    """Change a list of addresses in place; the new state of its switch."""
    if mode is Mode.REMOVE:
        stored[:] = [address for address in stored if address not in given.addresses]
        return enabled and (bool(stored) or may_be_empty)
    if mode is Mode.SET and given.addresses:
        stored[:] = given.addresses
    else:
        stored += [address for address in given.addresses if address not in stored]
    if given.enabled is not UNSET:
        enabled = given.enabled
        if enabled and not stored and not may_be_empty:
            raise InvalidValue(f"{name}: it is switched on and has no address. Give one.", field=name)
    return enabled


def _apply_forwarding(state: AccountState, given: Addresses, mode: Mode) -> None:
    """Redirect and group as the one list that some doors show: a change lands in the list that the account uses."""
    if mode is Mode.REMOVE:
        state.redirect_enabled = _apply_list(state.redirect, state.redirect_enabled, given, mode, "forwarding")
        state.group_enabled = _apply_list(state.group, state.group_enabled, given, mode, "forwarding")
        return
    grouped = bool(state.group) and not state.redirect
    used, other = (state.group, state.redirect) if grouped else (state.redirect, state.group)
    if mode is Mode.SET and given.addresses:
        used[:] = given.addresses
        other.clear()
    else:
        used += [address for address in given.addresses if address not in used and address not in other]
    if given.enabled is not UNSET:
        if given.enabled and not used and not other:
            raise InvalidValue("forwarding: it is switched on and has no address. Give one.", field="forwarding")
        state.redirect_enabled = given.enabled and bool(state.redirect)
        state.group_enabled = given.enabled and bool(state.group)
    elif not other:
        # The list that was emptied hands its switch over.
        enabled = state.redirect_enabled or state.group_enabled
        state.redirect_enabled = enabled and not grouped
        state.group_enabled = enabled and grouped


def _apply_aliases(state: AccountState, given: tuple[str, ...], mode: Mode) -> None:
    if mode is Mode.REMOVE:
        state.aliases = [alias for alias in state.aliases if alias not in given]
        return
    if state.name in given:
        raise AlreadyExists(f"alias: {state.name} is the account's own name.", field="alias")
    if mode is Mode.SET:
        state.aliases = list(given)
    else:
        state.aliases += [alias for alias in given if alias not in state.aliases]


def _apply_files(
    state: AccountState, given: tuple[NewFile, ...], mode: Mode, contents: Mapping[str, StoredFile]
) -> None:
    if mode is Mode.REMOVE:
        for file in given:
            state.files.pop(file.name, None)
    else:
        kept = {} if mode is Mode.SET and given else state.files
        for file in given:
            if file.name in contents:
                kept[file.name] = contents[file.name]
            elif file.name in state.files:
                kept[file.name] = state.files[file.name]
            else:
                raise InvalidValue(
                    f"repository/file: {file.name!r} is not stored and comes without content. Send its content.",
                    field="repository/file",
                )
        state.files = kept
    for reply in state.replies:
        reply.attachments = [name for name in reply.attachments if name in state.files]


def _apply_replies(state: AccountState, given: tuple[ReplyChange, ...], mode: Mode, sources: Sources) -> None:
    """Automatic replies one by one, by name. In mode REMOVE a named reply goes as a whole."""
    if mode is Mode.REMOVE:
        gone = {change.name for change in given}
        state.replies = [reply for reply in state.replies if reply.name not in gone]
        return
    stored = {reply.name: reply for reply in state.replies}
    if mode is Mode.SET and given:
        # The days are kept: not every door can name them.
        stored = {name: Reply(name, start_date=old.start_date, end_date=old.end_date) for name, old in stored.items()}
        state.replies = []
    for change in given:
        reply = stored.setdefault(change.name, Reply(change.name))
        if reply not in state.replies:
            state.replies.append(reply)
        _apply_reply(state, reply, change, Mode.ADD, sources)


def _apply_single_reply(state: AccountState, given: ReplyChange, mode: Mode, sources: Sources) -> None:
    """The one reply of a door that knows only one: the first that is on, else the first."""
    reply = single_reply(state.replies)
    mentioned = given.attachments or given.detached or any(getattr(given, name) is not UNSET for name in _REPLY_SCALARS)
    if mode is Mode.REMOVE and not mentioned:
        if reply is not None:
            state.replies[state.replies.index(reply)] = Reply(reply.name)
        return
    if not mentioned:
        return
    if reply is None:
        if mode is Mode.REMOVE:
            return
        reply = Reply(SINGLE_REPLY_NAME)
        state.replies.append(reply)
    _apply_reply(state, reply, given, mode, sources)
    if mode is not Mode.REMOVE and given.enabled is not UNSET and given.enabled:
        state.autoresponders_enabled = True


def _apply_reply(state: AccountState, reply: Reply, given: ReplyChange, mode: Mode, sources: Sources) -> None:
    defaults = Reply(reply.name)
    for name in _REPLY_SCALARS:
        if (value := getattr(given, name)) is not UNSET:
            setattr(reply, name, getattr(defaults, name) if mode is Mode.REMOVE else value)
    if mode is Mode.REMOVE:
        gone = {attachment.file_name for attachment in given.attachments}
        reply.attachments = [name for name in reply.attachments if name not in gone]
        return
    files = [_attach(state, attachment, sources) for attachment in given.attachments]
    gone = set(reply.attachments) if mode is Mode.SET and files else set(given.detached)
    reply.attachments = [name for name in reply.attachments if name not in gone]
    reply.attachments += [name for name in dict.fromkeys(files) if name not in reply.attachments]


def _attach(state: AccountState, attachment: Attachment, sources: Sources) -> str:
    """The name of the repository file that an attachment means, stored first if it comes as an upload."""
    field_name = "autoresponder/attachment"
    if attachment.handle:
        upload = sources.uploads.get(attachment.handle)
        if upload is None:
            raise InvalidValue(
                f"{field_name}: {attachment.handle!r} is no file that you uploaded. Upload it first.", field=field_name
            )
        name = attachment.file_name or upload.name
        state.files[name] = StoredFile(name, upload.size, upload.sha256)
        return name
    if attachment.file_name not in state.files:
        raise InvalidValue(
            f"{field_name}: {attachment.file_name!r} is not in the account's repository. Store it first.",
            field=field_name,
        )
    return attachment.file_name


def _check_replies(state: AccountState) -> None:
    for reply in state.replies:
        if reply.start_date and reply.end_date and reply.end_date < reply.start_date:
            raise InvalidValue("autoresponder/end_date: it lies before the first day.", field="autoresponder/end_date")
        size = sum(state.files[name].size for name in reply.attachments)
        if size > ATTACHMENT_BYTES:
            raise InvalidValue(
                f"autoresponder/attachment: {size / MEBIBYTE:.1f} MB together are too many. Attach at most"
                f" {ATTACHMENT_BYTES // MEBIBYTE} MB.",
                field="autoresponder/attachment",
            )


def touches_replies(change: AccountChange) -> bool:
    """True if the automatic replies have to be loaded: to be changed, rendered again, or followed in their forwards."""
    return (
        change.autoresponder is not UNSET
        or change.autoresponders is not UNSET
        or change.files is not UNSET
        or change.aliases is not UNSET
        or change.mailbox_enabled is not UNSET
        or change.forwarding is not UNSET
        or change.redirect is not UNSET
        or change.group is not UNSET
        or change.groups is not UNSET
    )
