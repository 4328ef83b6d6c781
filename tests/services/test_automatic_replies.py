"""Automatic replies: which one answers, to whom, with what, and that mail never depends on them."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from services import mail_clients
from services.mail_clients import Sieve, compose
from services.packets import PacketRefused
from services.private import Account, PrivateInstance, Site, xml

MEBIBYTE = 1024 * 1024


def answers(account: Account) -> list[mail_clients.EmailMessage]:
    """What came back to a correspondent."""
    return [m for m in account.inbox() if m["Auto-Submitted"]]


def reply(**children: object) -> str:
    """The new dialect's automatic reply, switched on."""
    order = ["subject", "content_type", "charset", "text", "attachment", "forward", "end_date"]
    given = "".join(xml(name, children[name]) for name in order if name in children)
    return f"<autoresponder><enabled>true</enabled>{given}</autoresponder>"


def rule(name: str, **children: object) -> str:
    """One of the old dialect's automatic replies, switched on."""
    order = [
        "keystr", "key_where", "subject", "reply_to", "content_type", "charset", "text", "ans_freq", "mem_limit",
        "attachment", "forward",
    ]  # fmt: skip
    given = "".join(xml(child, children[child]) for child in order if child in children)
    return f"<autoresponder>{xml('name', name)}<enabled>true</enabled>{given}</autoresponder>"


def rules(*given: str) -> str:
    return f"<autoresponders><enabled>true</enabled>{''.join(given)}</autoresponders>"


def repository(name: str, content: bytes) -> str:
    return (
        f"<repository><file>{xml('name', name)}{xml('content', base64.b64encode(content).decode())}</file></repository>"
    )


def write(charlie: Account, recipient: str, subject: str = "Question", text: str = "When?\n", **headers: str) -> None:
    """A message from Charlie by port 25."""
    charlie.site.instance.send(charlie.address, recipient, subject, text, **headers)


def test_a_reply_goes_back_with_its_subject_and_text_and_the_message_stays(site: Site, charlie: Account) -> None:
    text = 'I said "away" \\ until Monday.\n.\nGrüße; ${x} %{y}'
    alice = site.account("alice", reply(subject='Away "for" now', text=text))
    write(charlie, alice.address)
    assert alice.subjects() == ["Question"]
    (answer,) = answers(charlie)
    assert answer["Subject"] == 'Away "for" now'
    assert alice.address in answer["From"]
    assert answer["Auto-Submitted"].startswith("auto-replied")
    assert answer.get_content().replace("\r\n", "\n").strip() == text
    assert answer["In-Reply-To"] == alice.inbox()[0]["Message-ID"]


def test_changed_text_and_switching_off_act_on_the_next_message(site: Site, charlie: Account) -> None:
    alice = site.account("alice", reply(subject="First", text="one"))
    other = charlie.site.account("dora")
    write(charlie, alice.address)
    site.update("alice", "<autoresponder><subject>Second</subject></autoresponder>")
    write(other, alice.address)
    assert answers(charlie)[0]["Subject"] == "First"
    assert answers(other)[0]["Subject"] == "Second"
    site.update("alice", "<autoresponder><enabled>false</enabled></autoresponder>")
    third = charlie.site.account("emil")
    write(third, alice.address)
    assert answers(third) == []
    assert len(alice.inbox()) == 3


def test_a_sender_is_answered_once_a_day(site: Site, charlie: Account) -> None:
    alice = site.account("alice", reply(subject="Away", text="later"))
    write(charlie, alice.address, "one")
    write(charlie, alice.address, "two")
    assert len(answers(charlie)) == 1
    assert alice.subjects() == ["one", "two"]


def test_a_sender_is_answered_as_often_a_day_as_the_reply_says(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    site.old_update("alice", rules(rule("often", key_where="no", subject="Again", text="x", ans_freq=86_400)))
    write(charlie, alice.address, "one")
    time.sleep(2.1)  # 86,400 a day is one a second, and Dovecot counts whole seconds
    write(charlie, alice.address, "two")
    assert len(answers(charlie)) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Precedence": "bulk"},
        {"Precedence": "list"},
        {"Precedence": "junk"},
        {"List_Id": "<talk.lists.invalid>"},
        {"List_Unsubscribe": "<mailto:leave@lists.invalid>"},
        {"Auto_Submitted": "auto-generated"},
    ],
    ids=lambda headers: "-".join(next(iter(headers.items()))),
)
def test_lists_bulk_mail_and_machines_are_never_answered(site: Site, charlie: Account, headers: dict[str, str]) -> None:
    alice = site.account("alice", reply(subject="Away", text="later"))
    write(charlie, alice.address, **headers)
    assert len(alice.inbox()) == 1
    assert answers(charlie) == []


def test_bounces_and_itself_are_never_answered(site: Site) -> None:
    alice = site.account("alice", reply(subject="Away", text="later"))
    message = compose("MAILER-DAEMON@peer.invalid", alice.address, "Undelivered")
    site.instance.send_message("", alice.address, message)
    site.instance.send(alice.address, alice.address, "Note to self")
    assert alice.subjects() == ["Undelivered", "Note to self"]


def test_an_alias_and_a_tag_answer_too(site: Site, charlie: Account) -> None:
    site.account("alice", "<alias>sales</alias>" + reply(subject="Away", text="later"))
    other = charlie.site.account("dora")
    write(charlie, site.address("sales"))
    write(other, site.address("alice+shop"))
    assert len(answers(charlie)) == 1
    assert len(answers(other)) == 1


def test_of_several_the_first_that_matches_answers(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    site.old_update(
        "alice",
        rules(
            rule("price", keystr="price", key_where="subj", subject="Prices", text="see list"),
            rule("hours", keystr="open", key_where="body", subject="Hours", text="9 to 5"),
            rule("else", key_where="no", subject="Anything", text="thanks"),
        ),
    )
    writers = [charlie, charlie.site.account("dora"), charlie.site.account("emil")]
    write(writers[0], alice.address, "What PRICE?", "When are you open?\n")
    write(writers[1], alice.address, "Visit", "When are you open?\n")
    write(writers[2], alice.address, "Hello", "Just so.\n")
    assert [[m["Subject"] for m in answers(writer)] for writer in writers] == [["Prices"], ["Hours"], ["Anything"]]


def test_a_condition_that_does_not_match_answers_nobody(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    site.old_update("alice", rules(rule("price", keystr="price", key_where="subj", subject="Prices", text="see list")))
    write(charlie, alice.address, "Hello")
    assert len(alice.inbox()) == 1
    assert answers(charlie) == []


def test_html_character_set_and_reply_to_stand_in_the_answer(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    site.old_update(
        "alice",
        rules(
            rule(
                "html", key_where="no", subject="Schöne Grüße", reply_to=site.address("office"),
                content_type="text/html", charset="iso-8859-1", text="<p>Später &amp; schöner</p>",
            )
        ),
    )  # fmt: skip
    write(charlie, alice.address)
    (answer,) = answers(charlie)
    assert answer["Subject"] == "Schöne Grüße"
    assert answer["Reply-To"] == site.address("office")
    body = answer.get_body(("html",))
    assert body is not None
    assert body.get_content_charset() == "iso-8859-1"
    assert "<p>Später &amp; schöner</p>" in body.get_content()


def test_nothing_is_answered_after_the_last_day(site: Site, charlie: Account) -> None:
    today = date.today()
    over = site.account("over", reply(subject="Away", text="x", end_date=today - timedelta(days=2)))
    still = site.account("still", reply(subject="Away", text="x", end_date=today + timedelta(days=2)))
    write(charlie, over.address)
    assert answers(charlie) == []
    write(charlie, still.address)
    assert len(answers(charlie)) == 1


def test_the_message_is_passed_on_to_the_forward_address(site: Site, charlie: Account) -> None:
    deputy = charlie.site.account("deputy")
    alice = site.account("alice", reply(subject="Away", text="Ask my deputy", forward=deputy.address))
    write(charlie, alice.address)
    assert deputy.subjects() == ["Question"]
    assert alice.subjects() == ["Question"]
    assert len(answers(charlie)) == 1


def test_files_of_the_repository_go_with_the_answer(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    content = bytes(range(256)) * 50
    site.old_update("alice", repository("Preisliste ä.pdf", content))
    site.old_update(
        "alice", rules(rule("files", key_where="no", subject="List", text="Here.", attachment="Preisliste ä.pdf"))
    )
    write(charlie, alice.address)
    (answer,) = answers(charlie)
    (attachment,) = answer.iter_attachments()
    assert attachment.get_filename() == "Preisliste ä.pdf"
    assert attachment.get_content() == content
    body = answer.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Here."
    assert not [name for name in answer if name.lower().startswith("x-innkeeper")]


def test_attachments_of_five_mebibytes_go_and_more_are_refused(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    halves = [hashlib.sha256(bytes([n])).digest() * (MEBIBYTE * 5 // 2 // 32) for n in (1, 2)]
    for number, content in enumerate(halves):
        site.old_update("alice", repository(f"half{number}.bin", content), "add")
    files = "<attachment>half0.bin</attachment><attachment>half1.bin</attachment>"
    both = rule("big", key_where="no", subject="Big", text="Both.").replace(
        "</autoresponder>", files + "</autoresponder>"
    )
    site.old_update("alice", rules(both))
    write(charlie, alice.address)
    (answer,) = answers(charlie)
    assert [part.get_content() for part in answer.iter_attachments()] == halves
    site.old_update("alice", repository("more.bin", b"x"), "add")
    third = files + "<attachment>more.bin</attachment>"
    with pytest.raises(PacketRefused) as refused:
        site.old_update("alice", rules(both.replace(files, third)))
    assert refused.value.code in (1019, 1024)
    assert "5" in refused.value.text


def test_an_account_without_a_mailbox_answers_and_keeps_nothing(site: Site, charlie: Account) -> None:
    site.account("info", reply(subject="Closed", text="for good"), mailbox="")
    write(charlie, site.address("info"))
    assert [m["Subject"] for m in answers(charlie)] == ["Closed"]
    assert all("undeliver" not in subject.lower() for subject in charlie.subjects())


def test_a_group_answers_and_its_members_get_the_message(site: Site, charlie: Account) -> None:
    bob = site.account("bob")
    site.old_create(
        xml("name", "team")
        + f"<mailgroup><enabled>true</enabled>{xml('address', bob.address)}</mailgroup>"
        + rules(rule("got", key_where="no", subject="Received", text="We will look at it."))
    )
    write(charlie, site.address("team"))
    assert bob.subjects() == ["Question"]
    assert [m["Subject"] for m in answers(charlie)] == ["Received"]


def test_the_owners_own_vacation_sends_no_second_answer(site: Site, charlie: Account) -> None:
    alice = site.account("alice", reply(subject="From the panel", text="away"))
    sieve = Sieve(site.instance.ports["sieve"], alice.address, alice.password)
    sieve.activate("own", 'require "vacation"; vacation :days 1 :subject "From my own script" "away";')
    sieve.close()
    write(charlie, alice.address)
    assert [m["Subject"] for m in answers(charlie)] == ["From the panel"]
    assert alice.subjects() == ["Question"]


def test_a_script_over_its_bound_is_refused_when_saved(site: Site) -> None:
    site.account("alice")
    with pytest.raises(PacketRefused) as refused:
        site.update("alice", reply(subject="Long", text="x" * 400_000))
    assert refused.value.code == 1019
    assert "text" in refused.value.text


@contextmanager
def without_view(instance: PrivateInstance, view: str) -> Iterator[None]:
    """The database with one view missing, and put back with the daemons' right to read it."""
    if instance.database_url:
        (definition,) = instance.sql(f"SELECT pg_get_viewdef('{view}')")[0]
        create = f"CREATE VIEW {view} AS {definition}"
    else:
        (create,) = instance.sql(f"SELECT sql FROM sqlite_master WHERE name = '{view}'")[0]
    instance.sql(f"DROP VIEW {view}")
    try:
        yield
    finally:
        instance.sql(create)
        if role := instance.description["database"]["lookup_role"]:
            instance.sql(f'GRANT SELECT ON {view} TO "{role}"')


@pytest.mark.parametrize("view", ["svc_mail_sieve_name", "svc_mail_sieve_data"])
def test_mail_is_delivered_when_the_look_up_of_a_script_fails(site: Site, charlie: Account, view: str) -> None:
    alice = site.account("alice", reply(subject="Away", text="later"))
    with without_view(site.instance, view):
        write(charlie, alice.address, "Meanwhile")
        assert alice.subjects() == ["Meanwhile"]
        assert answers(charlie) == []
    write(charlie, alice.address, "Afterwards")
    assert alice.subjects() == ["Meanwhile", "Afterwards"]
    assert len(answers(charlie)) == 1


@pytest.mark.parametrize("script", ["this is no sieve", "# " + "x" * 400_000], ids=["does-not-compile", "too-large"])
def test_mail_is_delivered_when_a_damaged_script_stands_in_the_database(
    site: Site, charlie: Account, script: str
) -> None:
    alice = site.account("alice", reply(subject="Away", text="later"))
    site.instance.sql(
        f"UPDATE mail_sievescript SET script = '{script}', revision = revision + 1 WHERE account_id ="
        f" (SELECT account_id FROM mail_mailname WHERE address = '{alice.address}')"
    )
    write(charlie, alice.address)
    assert alice.subjects() == ["Question"]


def test_the_path_of_replies_is_closed_to_other_local_users(instance: PrivateInstance) -> None:
    sockets = [p for p in (instance.state / "spool/public").iterdir() if p.is_socket() and "reply" in p.name]
    assert sockets
    for user in ("nobody", "www-data", instance.description["users"]["panel"]):
        assert mail_clients.refused_as(user, str(sockets[0])), user
    assert not mail_clients.refused_as(instance.description["users"]["mail"], str(sockets[0]))
    # Nothing listens on TCP for it either.
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", instance.base + 2028), timeout=1):
        pass
