"""Who may do what with the files of a hosting account, and by which rule; and rules that its owner sets.

What an object has is read by a child that is the account; the rules are root's, and are read and written here. A rule
goes into the account's own metadata file and is applied by the permission engine, which never leaves the account's
folder. What other parts of the server rely on is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from innkeeper.hostd.become import TOLD_EVERY_S, Answer, Identity, Tell
from innkeeper.hostd.file_requests import HostingOf, SetRights, UndoRights
from innkeeper.hostd.handlers import AbandonedError
from innkeeper.hostd.hosting_accounts import user_name
from innkeeper.instance.config import Instance
from innkeeper.permissions import apply, explain, journal
from innkeeper.permissions.apply import Run
from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.rights import (
    APPEND_DATA,
    EXECUTE,
    INHERIT_ONLY,
    INHERITED,
    READ_DATA,
    WRITE_DATA,
    describe,
    specific,
)
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.bits import R, W, X
from innkeeper.permissions.report import Report
from innkeeper.permissions.rules.document import Document, Element
from innkeeper.permissions.rules.entry import can_be_named, names_below, naming, read_rule
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.rules.vocabulary import ACE_FLAGS, ace_flags_name, mask_name
from innkeeper.permissions.server import hosting, running
from innkeeper.permissions.server.drift import STRICT, STRICT_DENY
from innkeeper.permissions.server.history import MetadataError
from innkeeper.permissions.server.layout import INSTANCE, Layout
from innkeeper.permissions.server.running import How
from innkeeper.permissions.stores.posix import PosixState, PosixStore

DENIABLE = READ_DATA | WRITE_DATA | APPEND_DATA | EXECUTE
"""What a rule of an owner may deny. To deny more would make a folder root's, and then he could not take it back."""

KEPT = frozenset({"httpdocs", "httpsdocs", "conf", "logs", "statistics", "subdomains", "web_users"})
ASKED = ("read", "write", "execute")


@dataclass(frozen=True, slots=True)
class Place:
    """An object of a hosting account, and the rules that govern it."""

    layout: Layout
    domain: str
    path: tuple[str, ...]
    users: dict[str, str]
    instance: hosting.Instance

    @property
    def templates(self) -> list[str]:
        """What the account's own rules come from; a document root of its own is among it."""
        last = self.instance.metadata.last()
        return last.account.get("templates", []) if last else []

    @property
    def sub_path(self) -> dict[str, str]:
        """The object's place as rules write it."""
        return naming((self.domain, *self.path))


class RightsRefusedError(Exception):
    """It will not be done; `code` says why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def place_of(instance: Instance, account: HostingOf, path: tuple[str, ...]) -> Place:
    """The object that a request means. Raises RightsRefusedError if the domain has no rules, or is not this webspace's.

    Whoever asks names webspace and domain; only the rules' own records say that they belong together.
    """
    layout = Layout.of(instance)
    try:
        found = hosting.instances(layout, account.domain)
    except MetadataError:
        raise RightsRefusedError("no-rules") from None
    main = found[0].metadata.last()
    users = dict(main.account.get("users", {})) if main else {}
    if users.get("DomainUser") != user_name(instance, f"s{account.webspace}"):
        raise RightsRefusedError("no-rules")
    own = max((one for one in found if path[: len(one.folder)] == one.folder), key=lambda one: len(one.folder))
    last = own.metadata.last()
    for tag, name in (last.account.get("users", {}) if last else {}).items():
        users.setdefault(tag, name)
    return Place(layout, account.domain, path, users, own)


def critical(place: Place, uid: int) -> str:
    """Why the rights of an object cannot be changed; "" if they can. `uid` owns it."""
    below = place.path[len(place.instance.folder) :]
    if not below:
        return "root"
    if (len(below) == 1 and below[0] in KEPT) or f"{hosting.SHOWN}{'/'.join(below)}" in place.templates:
        return "kept"
    if below[-1].endswith(INSTANCE):
        return "rules"
    if uid == 0:
        return "of-root"
    return "" if can_be_named(below) else "unseen"


def explained(policy: Policy, root: int, path: tuple[str, ...], about: str) -> Answer:
    """What is to be told of an object, read as the account that runs this."""
    found = explain.explain(policy, f"/proc/self/fd/{root}/.", path, [Sid(about)] if about else [], list(ASKED))
    told = {
        "uid": found.now.uid,
        "gid": found.now.gid,
        "is_folder": found.ground.is_folder,
        "drift": found.drift,
        "entries": [_entry(policy, reason) for reason in found.entries],
        "hand": _by_hand(policy, found.now, found.wanted),
        "verdicts": [
            {
                "right": verdict.right,
                "rules": verdict.nt,
                "lists": verdict.posix,
                "passes": verdict.passes,
                "reasons": [_entry(policy, reason) for reason in verdict.reasons],
            }
            for verdict in found.verdicts
        ]
        if about
        else [],
    }
    return told, ()


def _by_hand(policy: Policy, now: PosixState, wanted: PosixState) -> list[dict[str, str]]:
    """What accounts have of an object that no rule gives them, or lack although a rule does."""
    has, should = _permissions(now), _permissions(wanted)
    return [
        {
            "sid": sid,
            "name": policy.principals.name(sid),
            "now": _letters(has.get(sid, 0)),
            "wanted": _letters(should.get(sid, 0)),
        }
        for sid in {**has, **should}
        if has.get(sid, 0) != should.get(sid, 0)
    ]


def _permissions(state: PosixState) -> dict[Sid, int]:
    acl = posix_acl.effective(posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode))
    found = {sids.EVERYONE: acl.other, sids.user(state.uid): acl.owner, sids.group(state.gid): acl.group}
    found |= {sids.user(uid): perm for uid, perm in acl.users if uid != state.uid}
    return found | {sids.group(gid): perm for gid, perm in acl.groups if gid != state.gid}


def _letters(perm: int) -> str:
    return "".join(letter if perm & bit else "-" for letter, bit in (("r", R), ("w", W), ("x", X)))


def _entry(policy: Policy, reason: explain.Reason) -> dict[str, Any]:
    ace = reason.ace
    rules = [policy.rules[number] for number in reason.rules]
    origin = "hand" if not rules else "inherited" if ace.flags & INHERITED else "rule"
    return {
        "sid": ace.sid,
        "name": policy.principals.name(ace.sid),
        "deny": ace.deny,
        "mask": specific(ace.mask),
        "letters": describe(ace.mask),
        "is_here": not ace.flags & INHERIT_ONLY,
        "applies": ace_flags_name(ace.flags & 0x0F),
        "origin": origin,
        "rules": [
            {
                "line": rule.line,
                "file": rule.file.rpartition("/")[2],
                "at": "/".join(policy.places.locate(rule)),
                "own": not rule.tag,
            }
            for rule in rules
        ],
    }


def answered(place: Place, told: dict[str, Any]) -> dict[str, Any]:
    """What the child read, with the accounts that can be chosen and what is refused."""
    principals = place.layout.principals()
    code = critical(place, told["uid"])
    choices = {sid: principals.name(sid) for sid in _choices(place, told)}
    own = {sid: rule for sid in choices if (rule := _own_rule(place, sid)) is not None}
    return told | {
        "owner": principals.name(sids.user(told["uid"])),
        "group": principals.name(sids.group(told["gid"])),
        "critical": code,
        "accounts": [{"sid": sid, "name": name, "own": own.get(sid)} for sid, name in choices.items()],
    }


def _choices(place: Place, told: dict[str, Any]) -> list[Sid]:
    """Whose rights can be shown and set: those who have some, the account's users, and everybody. Never root."""
    principals = place.layout.principals()
    users = hosting.identified(
        {tag: name for tag, name in place.users.items() if tag != "PsaAdmin"}, principals
    ).values()
    known = [Sid(entry["sid"]) for entry in (*told["entries"], *told["hand"])]
    found = dict.fromkeys([*(account.sid for account in users), *known])
    found.pop(sids.EVERYONE, None)
    found[sids.EVERYONE] = None
    return [sid for sid in found if sid == sids.EVERYONE or (sids.uid_of(sid) or 0) > 0 or (sids.gid_of(sid) or 0) > 0]


def set_rights(
    instance: Instance, request: SetRights, told: dict[str, Any], is_reached: Callable[[], bool], tell: Tell
) -> dict[str, Any]:
    """Write a rule about an object and apply it there and below. `told` is what the object has.

    Asked for again, it goes on where it was cut off.

    A rule that cannot be applied, or that would keep the site's own account from the object, is taken out again:
    nobody could take it back in the panel.

    Raises: RightsRefusedError, MetadataError, RuleError, OSError.
    """
    with running.locked(Layout.of(instance), hosting.lock_of(request.account.domain)):
        place = place_of(instance, request.account, request.path)
        if code := critical(place, told["uid"]):
            raise RightsRefusedError(code)
        if Sid(request.about) not in _choices(place, told):
            raise RightsRefusedError("account")
        metadata = place.instance.metadata
        metadata.notice()
        before = metadata.document()
        after = _changed(place, before, request, is_folder=bool(told["is_folder"]))
        why = _why(request.path)
        is_new = metadata.write(after.encoded(), request.who, why)
        try:
            done = _apply(place, tell)
            if not is_reached():
                raise RightsRefusedError("self")
        except (RightsRefusedError, RuleError) as error:
            metadata.write(before.encoded(), request.who, f"{why}: taken back, because it could not be applied")
            if isinstance(error, RightsRefusedError):
                _apply(place, tell)
            raise
        last = metadata.last()
    return {
        "changed": done.report.changed,
        "objects": done.report.objects,
        "run": done.name,
        "version": last.number if is_new and last else 0,
        "problems": _problems(done.report),
    }


def undo(instance: Instance, request: UndoRights, tell: Tell) -> dict[str, Any]:
    """Take back what setting rights did: the text of the rules, then what the run changed, object by object.

    What was changed again since stays as it is, and is told. Asked for again, it goes on where it was cut off.

    Raises: RightsRefusedError, MetadataError, JournalError, OSError.
    """
    with running.locked(Layout.of(instance), hosting.lock_of(request.account.domain)):
        place = place_of(instance, request.account, request.path)
        folder, about = journal.find_run(place.layout.runs, request.run)
        root = str(place.layout.vhosts / place.domain)
        if about["root"] != root:
            raise RightsRefusedError("no-run")
        metadata = place.instance.metadata
        metadata.notice()
        last = metadata.last()
        before = metadata.content(request.version - 1)
        is_cut_off = last is not None and last.number == request.version + 1 and metadata.read() == before
        if not is_cut_off:
            if last is None or last.number != request.version or last.why != _why(request.path):
                raise RightsRefusedError("changed-since")
            metadata.write(before, request.who, f"rights of /{'/'.join(request.path)}: undone in the file manager")
        with running.own_directory():
            store = PosixStore(Policy([], place.layout.principals(), Places(root)))
            report = apply.undo(store, folder, root, progress=_telling(tell))
    return {"changed": report.changed, "objects": report.objects, "problems": _problems(report)}


def _why(path: tuple[str, ...]) -> str:
    return f"rights of /{'/'.join(path)} set in the file manager"


def _problems(report: Report) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in report.problems[:5]]


def _telling(tell: Tell) -> Callable[[Report], None]:
    """Says how far a run has come. What was begun is brought to its end, whether somebody listens or not."""

    next_at = time.monotonic() + TOLD_EVERY_S

    def told(report: Report) -> None:
        nonlocal next_at
        if (now := time.monotonic()) >= next_at:
            next_at = now + TOLD_EVERY_S
            with suppress(AbandonedError):
                tell({"looked_at": report.objects, "changed": report.changed})

    return told


def _apply(place: Place, tell: Tell) -> Run:
    compiled = hosting.policy(place.layout, place.domain)
    how = How(start=place.path, way=True, progress=_telling(tell))
    outcome = hosting.apply_to(place.layout, compiled, place.domain, how)
    if outcome.run.report.stopped:
        raise RightsRefusedError("not-applied", outcome.run.report.stopped)
    return outcome.run


def _changed(place: Place, document: Document, request: SetRights, *, is_folder: bool) -> Document:
    """The rules with what the request says in the place of what was said so before."""
    principals = place.layout.principals()
    sid = Sid(request.about)
    for element in reversed([*_own_entries(place, document, sid)]):
        document = document.without(element)
    name = principals.name(sid)
    if sid == sids.EVERYONE:
        who = {"AccounType": "0", "Account": "Everyone"}
    else:
        who = {"AccounType": "1", "Account": name.removeprefix("@"), "SidStr": sid}
        if name.startswith("@"):
            who["Domain"] = "Unix Group"
    about = who | {
        "Path": "[HTTPD_VHOSTS_D]",
        **place.sub_path,
        "AceFlags": request.applies if is_folder else "ThisObjectOnly",
    }
    entries = []
    if deny := request.deny & DENIABLE:
        entries.append(about | {"AccessMask": f"0x{deny:x}", "EntryFlags": STRICT_DENY, "Tag": ""})
    if request.allow:
        entries.append(about | {"AccessMask": mask_name(request.allow), "EntryFlags": STRICT, "Tag": ""})
    return document.with_entries(entries)


def _own_entries(place: Place, document: Document, sid: Sid) -> Iterable[Element]:
    """The entries about an object and an account that owners have set: those without a tag."""
    name = place.layout.principals().name(sid).removeprefix("@")
    here = (place.domain, *place.path)
    for element in document.entries:
        is_meant = element.get("SidStr") == sid or (
            not element.get("SidStr") and element.get("Account").casefold() == name.casefold()
        )
        if names_below(element.values) == here and is_meant and not element.get("Tag"):
            yield element


def _own_rule(place: Place, sid: Sid) -> dict[str, Any] | None:
    """What an owner has set about an object and an account."""
    found: dict[str, Any] = {"allow": 0, "deny": 0, "applies": ""}
    document = place.instance.metadata.document()
    for element in _own_entries(place, document, sid):
        rule = read_rule(document, element)
        found["deny" if rule.deny else "allow"] |= rule.access_mask
        found["applies"] = next(name for name, flags in ACE_FLAGS.items() if flags == rule.ace_flags)
    return found if found["applies"] else None


def kernel_identity(place: Place, about: str) -> Identity | None:
    """The account whose rights are asked about, as somebody a child can become; None for groups and root."""
    uid = sids.uid_of(Sid(about)) if about else None
    if not uid:
        return None
    groups = place.layout.principals().groups_of(uid)
    try:
        return Identity(uid, min(groups), tuple(sorted(groups)))
    except ValueError:
        return None
