"""Automatic replies as one Sieve script: a pure function from replies to text.

The script runs before the owner's own one. Of several replies that match a message the first in stored order
answers. Lists, bounces, bulk mail and senders that were answered lately are left alone by the `vacation` extension
itself; only one vacation action ever runs, because the replies are branches of one `if`.

Attachments do not travel in the script, whose size is bounded. The reply carries a header instead,

    X-Innkeeper-Attachments: SHA256:NAME;
     SHA256:NAME

with each NAME percent-encoded, and the program that sends automatic replies puts the stored files in its place
(`components/drivers/postfix_dovecot/attachments.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote

from innkeeper.mail.replies import Reply, StoredFile

ATTACHMENTS_HEADER = "X-Innkeeper-Attachments"
SCRIPT_BYTES = 250_000
"""A look-up through Dovecot's dict proxy fails above some 300 kB, and takes the delivery with it."""
DAY_S = 86_400
# Folding must not break encoded text here: the script's reader joins lines by itself.
_POLICY = SMTP.clone(linesep="\n")


class ReplyNotEncodable(ValueError):
    """The text of a reply has a character that its character set lacks."""


def render(
    replies: Sequence[Reply], *, address: str, aliases: Sequence[str], files: Mapping[str, StoredFile], keeps_mail: bool
) -> str | None:
    """The script of these replies, or None if none of them is on.

    `address` and `aliases` are the account's full addresses: a message must name one of them to be answered.
    `keeps_mail` is False for an account without a mailbox, whose mail ends here.
    Raises ReplyNotEncodable.
    """
    active = [reply for reply in replies if reply.enabled]
    if not active:
        return None
    required = {"vacation"}
    branches = []
    for position, reply in enumerate(active):
        tests = _tests(reply, required)
        word = "if" if position == 0 else "elsif"
        condition = "true" if not tests else tests[0] if len(tests) == 1 else f"allof ({', '.join(tests)})"
        actions = "\n".join(_actions(reply, [address, *aliases], files, required))
        branches.append(f"{word} {condition} {{\n{actions}\n}}")
    lines = [f"require {_string_list(sorted(required))};", *branches]
    if not keeps_mail:
        lines.append("discard;")
    return "\n".join(lines) + "\n"


def _tests(reply: Reply, required: set[str]) -> list[str]:
    tests = []
    if reply.key and reply.key_where == "subj":
        tests.append(f'header :contains "subject" {_string(reply.key)}')
    elif reply.key and reply.key_where == "body":
        required.add("body")
        tests.append(f"body :text :contains {_string(reply.key)}")
    for day, relation in ((reply.start_date, "ge"), (reply.end_date, "le")):
        if day is not None:
            required.update(["date", "relational"])
            tests.append(f'currentdate :value "{relation}" "date" "{day.isoformat()}"')
    return tests


def _actions(reply: Reply, addresses: Sequence[str], files: Mapping[str, StoredFile], required: set[str]) -> list[str]:
    interval = ":days 1"
    if reply.answers_per_day is not None and reply.answers_per_day > 1:
        required.add("vacation-seconds")
        interval = f":seconds {DAY_S // reply.answers_per_day}"
    subject = f":subject {_string(reply.subject)} " if reply.subject else ""
    actions = [
        f"vacation {interval} {subject}:addresses {_string_list(addresses)} :handle {_string(reply.name)}"
        f" :mime {_string(_entity(reply, files))};"
    ]
    if reply.forward:
        required.add("copy")
        actions.append(f"redirect :copy {_string(reply.forward)};")
    return actions


def _entity(reply: Reply, files: Mapping[str, StoredFile]) -> str:
    """The reply as a MIME entity of ASCII characters alone, with the header that stands for its attachments."""
    message = EmailMessage(policy=_POLICY)
    subtype = reply.content_type.partition("/")[2]
    try:
        message.set_content(reply.text, subtype=subtype, charset=reply.charset, cte="quoted-printable")
    except (UnicodeEncodeError, LookupError) as error:
        raise ReplyNotEncodable(reply.charset) from error
    del message["MIME-Version"]  # vacation writes its own
    if reply.reply_to:
        message["Reply-To"] = reply.reply_to
    header = ""
    if reply.attachments:
        references = ";\n ".join(f"{files[name].sha256}:{quote(name, safe='')}" for name in reply.attachments)
        header = f"{ATTACHMENTS_HEADER}: {references}\n"
    return header + message.as_string()


def _string(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _string_list(values: Sequence[str]) -> str:
    return f"[{', '.join(_string(value) for value in values)}]"
