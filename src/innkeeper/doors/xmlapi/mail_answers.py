"""Writes mail accounts and preferences in the new dialect.

`get_info` is asked for whole sites, so the text of an account is laid out once a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from innkeeper.core.db.statements import Row
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.results import error_fragment
from innkeeper.doors.xmlapi.versions import Version
from innkeeper.doors.xmlapi.writer import Writer, escape
from innkeeper.mail import queries
from innkeeper.mail.queries import Lists, Part, ReplyInfo, SitePreferences, Value
from innkeeper.mail.scope import account_not_found

FIRST_WITH_LIMIT = Version.parse("1.6.6.0")
FIRST_WITH_END_DATE = Version.parse("1.6.8.0")

NO_REPLY = ReplyInfo("", False, "", "no", "", "", "text/plain", "UTF-8", "", None, None, "", None, None)
WORD = {False: "false", True: "true"}


def write_infos(call: Call, site_id: int, names: Sequence[str] | None, flags: frozenset[str]) -> None:
    """A result for each account, or one bare result for a site without any.

    Raises NotFound for the site before anything is written.
    """
    writer = call.writer
    layout = layout_for(writer, flags, call.version)
    found = False
    for rows in queries.account_rows(call.actor, site_id, names, layout.values):
        found = True
        accounts = [row for row in rows if not isinstance(row, str)]
        texts = layout.texts(accounts, site_id)
        if len(accounts) == len(rows):
            writer.extend(texts)
        else:
            writer.extend(missing_text(writer, row) if isinstance(row, str) else next(texts) for row in rows)
    if not found:
        with call.result():
            pass


def missing_text(writer: Writer, name: str) -> str:
    """The result of a name that has no account."""
    line, inner, innermost = writer.line(), writer.line(1), writer.line(2)
    return (
        f"{line}<result>{error_fragment(account_not_found(name), inner)}{inner}<mailname>{innermost}"
        f"<name>{escape(name)}</name>{inner}</mailname>{line}</result>"
    )


class Place(NamedTuple):
    """Something of an account in its text: what `render` makes of the values, and of the account's lists for a part."""

    render: Callable[..., str]
    sources: tuple[Value | Part, ...]


class Layout:
    """The text of an account in one request: literals, values that stand as they are, and places.

    It begins with the id and the name. `values` and `parts` are what it needs of an account beside these.
    """

    def __init__(self, head: str, pieces: Iterable[str | Value | Place]) -> None:
        self.values: list[Value] = []
        self.parts = Part.NOTHING
        self._head = f"{head}%s"
        self._template = ""
        self._places: list[tuple[Callable[..., object], tuple[int, ...]]] = []
        for piece in pieces:
            if isinstance(piece, Value):
                self._template += "%s"
                self._places.append((lambda value: value, (self._index(piece),)))
            elif isinstance(piece, Place):
                self._template += "%s"
                self._places.append((piece.render, tuple(map(self._index, piece.sources))))
            else:
                self._template += piece

    def _index(self, source: Value | Part) -> int:
        """Where a source stands among the values of an account, of which its lists are the last."""
        if isinstance(source, Part):
            self.parts |= source
            return -1
        if source not in self.values:
            self.values.append(source)
        return self.values.index(source)

    def texts(self, rows: Sequence[Row], site_id: int) -> Iterator[str]:
        """The texts of accounts of a site, from rows of the id, the name and `values`."""
        if self.parts:
            lists = queries.lists_of([row[0] for row in rows], site_id, self.parts)
            return (self._head % (row[0], row[1], self._rest((*row[2:], lists[row[0]]))) for row in rows)
        # Most accounts of a site have the same settings: what follows the name is written once for all of them.
        rest = _Once(self._rest)
        return (self._head % (row[0], row[1], rest[row[2:]]) for row in rows)

    def _rest(self, values: Row) -> str:
        return self._template % tuple([render(*[values[index] for index in used]) for render, used in self._places])


class _Once(dict[Row, str]):
    """What a function makes of each value, made when it is first asked for."""

    def __init__(self, make: Callable[[Row], str]) -> None:
        self._make = make

    def __missing__(self, key: Row) -> str:
        made = self[key] = self._make(key)
        return made


def layout_for(writer: Writer, flags: frozenset[str], version: Version) -> Layout:
    """The result of an account in an answer with these parts."""
    result, inside, line = (writer.line(depth) for depth in range(3))
    head = f"{result}<result>{inside}<status>ok</status>{inside}<mailname>{line}<id>%s</id>{line}<name>%s</name>"
    return Layout(head, chain(_settings(writer, flags, version), [f"{inside}</mailname>{result}</result>"]))


def _settings(writer: Writer, flags: frozenset[str], version: Version) -> Iterator[str | Value | Place]:
    """What follows an account's name. GUIDs and words of our own need no escaping."""
    line, deeper, deepest = (writer.line(depth) for depth in range(2, 5))

    def leaf(indent: str, tag: str, text: str) -> str:
        return f"{indent}<{tag}>{escape(text)}</{tag}>" if text else f"{indent}<{tag}/>"

    def addresses(lists: Lists) -> str:
        return "".join(leaf(deeper, "address", each) for each in dict.fromkeys(lists.redirect + lists.group))

    def aliases(lists: Lists) -> str:
        return "".join(leaf(line, "alias", alias) for alias in lists.aliases)

    def autoresponder(enabled: bool, lists: Lists) -> str:
        reply = next((each for each in lists.replies if each.enabled), lists.replies[0] if lists.replies else NO_REPLY)
        attachments = "".join(
            f"{deeper}<attachment>{leaf(deepest, 'file-name', name)}{deeper}</attachment>" for name in reply.attachments
        )
        parts = [
            leaf(deeper, "enabled", WORD[bool(enabled and reply.enabled)]),
            leaf(deeper, "subject", reply.subject),
            leaf(deeper, "content_type", reply.content_type),
            leaf(deeper, "charset", reply.charset),
            leaf(deeper, "text", reply.text),
            attachments,
            leaf(deeper, "forward", reply.forward),
        ]
        if version >= FIRST_WITH_END_DATE and reply.end_date:
            parts.append(leaf(deeper, "end_date", reply.end_date))
        return "".join(parts)

    def word(value: Value) -> Place:
        return Place(WORD.__getitem__, (value,))

    def secret(guid: str) -> str:
        return f"<user-guid>{guid}</user-guid>" if guid else "<password/>"

    def limit(messages: int | None) -> str:
        return "default" if messages is None else str(messages)

    def description(text: str) -> str:
        return leaf(line, "description", text)

    if flags & {"mailbox", "mailbox-usage"}:
        yield f"{line}<mailbox>"
        if "mailbox" in flags:
            yield from (f"{deeper}<enabled>", word(Value.MAILBOX_ENABLED), "</enabled>")
            yield from (f"{deeper}<quota>", Value.QUOTA, "</quota>")
        if "mailbox-usage" in flags:
            yield from (f"{deeper}<usage>", Value.USED_BYTES, "</usage>")
        yield f"{line}</mailbox>"
    if "forwarding" in flags:
        yield from (f"{line}<forwarding>{deeper}<enabled>", word(Value.FORWARDING_ENABLED), "</enabled>")
        yield from (Place(addresses, (Part.RECIPIENTS,)), f"{line}</forwarding>")
    if "aliases" in flags:
        yield Place(aliases, (Part.ALIASES,))
    if "autoresponder" in flags:
        yield f"{line}<autoresponder>"
        yield Place(autoresponder, (Value.AUTORESPONDERS_ENABLED, Part.REPLIES))
        yield f"{line}</autoresponder>"
    yield from (line, Place(secret, (Value.USER_GUID,)), f"{line}<antivir>", Value.ANTIVIR, "</antivir>")
    if version >= FIRST_WITH_LIMIT:
        yield f"{line}<outgoing-messages-mbox-limit>"
        yield from (Place(limit, (Value.OUTGOING_LIMIT,)), "</outgoing-messages-mbox-limit>")
        yield Place(description, (Value.DESCRIPTION,))


def write_preferences(call: Call, site_ids: Sequence[int] | None, shown: Iterator[str]) -> None:
    """A result for each site, in the schema's order; one bare result for a caller without any."""
    with_certificate = call.version >= FIRST_WITH_END_DATE
    found = False
    for info in queries.preferences(call.actor, site_ids):
        found = True
        if not isinstance(info, SitePreferences):
            site_id, error = info
            with call.result(error) as writer:
                writer.leaf("site-id", next(shown, site_id))
            continue
        with call.result() as writer:
            writer.leaf("site-id", next(shown, info.site_id))
            with writer.element("prefs"):
                with writer.element("nonexistent-user"):
                    writer.leaf(info.unknown_action, info.unknown_value)
                writer.leaf("webmail", info.webmail)
                writer.leaf("spam-protect-sign", bool(info.sign_outgoing))
                writer.leaf("greylisting", bool(info.greylisting))
                writer.leaf("mailservice", bool(info.enabled))
                if with_certificate and info.webmail_certificate:
                    writer.leaf("webmail-certificate", info.webmail_certificate)
    if not found:
        with call.result():
            pass
