"""Automatic replies and repository files, as both dialects change them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from innkeeper.core import files
from innkeeper.core.errors import InvalidValue
from innkeeper.core.models import Upload
from innkeeper.mail.models import RepositoryFile, SieveScript
from innkeeper.mail.operations import (
    AccountChange,
    Attachment,
    CreateAccounts,
    Mode,
    NewAccount,
    NewFile,
    RenameAccount,
    Replies,
    ReplyChange,
    UpdateAccounts,
    create_accounts,
    rename_account,
    update_accounts,
)
from innkeeper.mail.operations.apply import ATTACHMENT_BYTES
from innkeeper.mail.queries import AccountInfo, Part, account_infos

from .conftest import World


@pytest.fixture
def site(world: World) -> World:
    create_accounts(world.alice, CreateAccounts(world.alice_site, (NewAccount("sales", mailbox_enabled=True),)))
    return world


def change(world: World, mode: Mode, **settings: Any) -> AccountInfo:
    (outcome,) = update_accounts(
        world.alice, UpdateAccounts(world.alice_site, mode, (AccountChange("sales", **settings),))
    )
    if outcome.error:
        raise outcome.error
    (found,) = account_infos(world.alice, world.alice_site, ["sales"], Part.REPLIES | Part.FILES)
    assert isinstance(found, AccountInfo)
    return found


def script() -> SieveScript:
    return SieveScript.objects.get()


def test_one_reply_acts_when_it_is_switched_on(site: World) -> None:
    after = change(site, Mode.SET, autoresponder=ReplyChange(enabled=True, text="Away", end_date=date(2030, 1, 2)))
    (reply,) = after.replies
    assert (reply.text, bool(reply.enabled), reply.end_date, bool(after.autoresponders_enabled)) == (
        "Away", True, "2030-01-02", True,
    )  # fmt: skip
    assert script().active and "Away" in script().script


def test_the_revision_rises_with_each_change_of_the_script_and_only_then(site: World) -> None:
    change(site, Mode.SET, autoresponder=ReplyChange(enabled=True, text="Away"))
    first = script().revision
    change(site, Mode.SET, quota=5)
    assert script().revision == first
    change(site, Mode.SET, autoresponder=ReplyChange(text="Back"))
    assert script().revision == first + 1
    change(site, Mode.ADD, aliases=("orders",))
    assert script().revision == first + 2 and "orders@alice.example" in script().script
    rename_account(site.alice, RenameAccount(site.alice_site, "sales", "shop"))
    assert script().revision == first + 3 and "shop@alice.example" in script().script


def test_switching_off_leaves_no_active_script(site: World) -> None:
    change(site, Mode.SET, autoresponder=ReplyChange(enabled=True, text="Away"))
    change(site, Mode.SET, autoresponder=ReplyChange(enabled=False))
    assert not script().active and script().script == ""


def test_without_a_mailbox_mail_ends_after_the_reply(site: World) -> None:
    change(site, Mode.SET, autoresponder=ReplyChange(enabled=True, text="Away"), mailbox_enabled=False)
    assert script().script.rstrip().endswith("discard;")
    change(site, Mode.SET, mailbox_enabled=True)
    assert "discard" not in script().script


def test_removing_resets_what_is_named_and_an_empty_element_everything(site: World) -> None:
    change(site, Mode.SET, autoresponder=ReplyChange(enabled=True, text="Away", subject="S", forward="x@other.example"))
    (reply,) = change(site, Mode.REMOVE, autoresponder=ReplyChange(subject="whatever", forward="")).replies
    assert (reply.subject, reply.forward, reply.text, bool(reply.enabled)) == ("", "", "Away", True)
    (reply,) = change(site, Mode.REMOVE, autoresponder=ReplyChange()).replies
    assert (reply.text, bool(reply.enabled)) == ("", False)


def test_an_empty_character_set_is_the_default(site: World) -> None:
    for mode in (Mode.SET, Mode.REMOVE):
        change(site, Mode.SET, autoresponder=ReplyChange(charset="ISO-8859-1", text="Grüße"))
        (reply,) = change(site, mode, autoresponder=ReplyChange(charset="")).replies
        assert reply.charset == "UTF-8"


def test_several_replies_change_one_by_one_and_the_single_one_is_the_first_that_is_on(site: World) -> None:
    replies = (
        ReplyChange("off", text="1"),
        ReplyChange(
            "on", enabled=True, text="2", key="price", key_where="subj", answers_per_day=3, remembered_senders=5
        ),
    )
    change(site, Mode.SET, autoresponders=Replies(True, replies))
    after = change(site, Mode.SET, autoresponder=ReplyChange(text="two"))
    assert [(r.name, r.text, r.key, r.answers_per_day, r.remembered_senders) for r in after.replies] == [
        ("off", "1", "", None, None), ("on", "two", "price", 3, 5),
    ]  # fmt: skip
    after = change(
        site, Mode.ADD, autoresponders=Replies(replies=(ReplyChange("off", subject="S"), ReplyChange("new")))
    )
    assert [(r.name, r.text, r.subject) for r in after.replies] == [
        ("off", "1", "S"),
        ("on", "two", ""),
        ("new", "", ""),
    ]
    after = change(site, Mode.REMOVE, autoresponders=Replies(replies=(ReplyChange("on"), ReplyChange("never"))))
    assert [r.name for r in after.replies] == ["off", "new"]
    after = change(site, Mode.SET, autoresponders=Replies(enabled=False))
    assert [r.name for r in after.replies] == ["off", "new"] and not after.autoresponders_enabled
    after = change(site, Mode.SET, autoresponders=Replies(replies=(ReplyChange("only"),)))
    assert [r.name for r in after.replies] == ["only"]


def test_replies_are_put_in_another_order_and_those_left_out_follow(site: World) -> None:
    three = tuple(ReplyChange(name, enabled=True, text=f"text of {name}") for name in ("a", "b", "c"))
    change(site, Mode.ADD, autoresponders=Replies(True, three))
    first = script()
    after = change(site, Mode.ADD, autoresponders=Replies(order=("c", "nobody")))
    assert [reply.name for reply in after.replies] == ["c", "a", "b"]
    assert [reply.text for reply in after.replies] == ["text of c", "text of a", "text of b"]
    assert script().revision == first.revision + 1
    assert script().script.index("text of c") < script().script.index("text of a")


def test_replacing_a_reply_keeps_the_days_that_the_old_dialect_cannot_name(site: World) -> None:
    change(site, Mode.SET, autoresponder=ReplyChange(enabled=True, text="x", subject="S", end_date=date(2030, 1, 1)))
    given = Replies(replies=(ReplyChange("autoresponder", text="y"), ReplyChange("second")))
    first, second = change(site, Mode.SET, autoresponders=given).replies
    assert (first.text, first.subject, first.end_date) == ("y", "", "2030-01-01")
    assert (second.name, second.end_date) == ("second", None)


def test_files_come_and_go_one_by_one_and_take_their_attachments_with_them(site: World) -> None:
    after = change(
        site,
        Mode.ADD,
        files=(NewFile("a.txt", b"aaa"), NewFile("b.txt", b"bb")),
        autoresponders=Replies(
            True, (ReplyChange("r", enabled=True, attachments=(Attachment("b.txt"), Attachment("a.txt"))),)
        ),
    )
    assert [(f.name, f.size) for f in after.files] == [("a.txt", 3), ("b.txt", 2)]
    assert after.replies[0].attachments == ["b.txt", "a.txt"]
    assert files.get(after.files[0].sha256) == b"aaa"
    assert after.files[0].sha256 in script().script
    after = change(site, Mode.ADD, files=(NewFile("a.txt", b"new"),))
    assert files.get(next(f.sha256 for f in after.files if f.name == "a.txt")) == b"new"
    after = change(site, Mode.REMOVE, files=(NewFile("b.txt"), NewFile("never.txt")))
    assert [f.name for f in after.files] == ["a.txt"] and after.replies[0].attachments == ["a.txt"]
    after = change(site, Mode.SET, files=(NewFile("c.txt", b"c"),))
    assert [f.name for f in after.files] == ["c.txt"] and after.replies[0].attachments == []


def test_an_upload_of_the_caller_becomes_an_attachment_and_no_other_does(site: World) -> None:
    sha256 = files.put(b"uploaded")
    for handle, actor in (("mine", site.alice), ("foreign", site.bob)):
        Upload.objects.create(
            handle=handle, owner_kind=actor.kind.value, owner_id=actor.account_id, name=f"{handle}.txt", size=8,
            sha256=sha256, created_at=timezone.now(),
        )  # fmt: skip
    reply = ReplyChange(enabled=True, attachments=(Attachment("shown.txt", "mine"),))
    after = change(site, Mode.SET, autoresponder=reply)
    assert after.replies[0].attachments == ["shown.txt"]
    assert RepositoryFile.objects.get().sha256 == sha256
    for bad in (Attachment("x", "foreign"), Attachment("x", "/etc/passwd"), Attachment("unknown.txt"), Attachment()):
        with pytest.raises(InvalidValue, match="attachment"):
            change(site, Mode.ADD, autoresponder=ReplyChange(attachments=(bad,)))
    after = change(site, Mode.REMOVE, autoresponder=ReplyChange(attachments=(Attachment("shown.txt"),)))
    assert after.replies[0].attachments == []


def test_values_that_break_a_rule_are_refused_by_field(site: World) -> None:
    big = NewFile("big.bin", b"\0" * (ATTACHMENT_BYTES // 2 + 1))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"autoresponder": ReplyChange(content_type="text/xml")}, "autoresponder/content_type"),
        ({"autoresponder": ReplyChange(charset="nowhere-8")}, "autoresponder/charset"),
        ({"autoresponder": ReplyChange(charset="base64")}, "autoresponder/charset"),
        ({"autoresponder": ReplyChange(enabled=True, charset="us-ascii", text="ü")}, "autoresponder/charset"),
        ({"autoresponder": ReplyChange(forward="nobody")}, "autoresponder/forward"),
        ({"autoresponder": ReplyChange(subject="a\nBcc: x")}, "autoresponder/subject"),
        ({"autoresponder": ReplyChange(key_where="head")}, "autoresponder/key_where"),
        ({"autoresponder": ReplyChange(answers_per_day=0)}, "autoresponder/ans_freq"),
        ({"autoresponder": ReplyChange(enabled=True, text="x" * 260_000)}, "autoresponder/text"),
        (
            {"autoresponder": ReplyChange(start_date=date(2026, 2, 2), end_date=date(2026, 2, 1))},
            "autoresponder/end_date",
        ),
        ({"autoresponders": Replies(replies=(ReplyChange(""),))}, "autoresponder/name"),
        ({"files": (NewFile("../up", b"x"),)}, "repository/file/name"),
        ({"files": (NewFile("unknown"),)}, "repository/file"),
        (
            {
                "files": (big, NewFile("big2.bin", big.content)),
                "autoresponder": ReplyChange(attachments=(Attachment("big.bin"), Attachment("big2.bin"))),
            },
            "autoresponder/attachment",
        ),
    ]
    for settings, field in cases:
        with pytest.raises(InvalidValue) as caught:
            change(site, Mode.ADD, **settings)
        assert caught.value.field == field
    assert not SieveScript.objects.exists() and not RepositoryFile.objects.exists()
