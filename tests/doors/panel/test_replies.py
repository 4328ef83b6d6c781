"""Several automatic replies of one account: their owner's pages and those of whoever looks after the site."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from innkeeper.accounts.models import Account
from innkeeper.mail.models import Autoresponder, AutoresponderAttachment, MailAccount, RepositoryFile, SieveScript

LogIn = Callable[..., Client]
BOB = "bob@example.test"


@pytest.fixture(params=["alice", BOB])
def place(request: pytest.FixtureRequest, bob: MailAccount, log_in: LogIn) -> tuple[Client, str]:
    """A browser of somebody who may change Bob's replies, and the page of their list."""
    root = "/own/replies/" if request.param == BOB else f"/mail/{bob.pk}/replies/"
    return log_in(request.param), root


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Away", "enabled": "on", "key_where": "no", "key": "", "subject": "Away", "content_type": "text/plain",
        "text": "Back on Monday.", "start_date": "", "end_date": "", "answers_per_day": "",
        "reply_to": "", "forward": "",
    } | changes  # fmt: skip


def names() -> list[str]:
    return list(Autoresponder.objects.order_by("position").values_list("name", flat=True))


def test_replies_are_written_ordered_switched_and_removed(place: tuple[Client, str]) -> None:
    client, root = place
    assert "No automatic replies" in client.get(root).content.decode()
    assert client.post(f"{root}edit/", fields()).status_code == 302
    prices = fields(name="Prices & more", key_where="subj", key="price", text="See our list.", end_date="2031-12-31")
    assert client.post(f"{root}edit/", prices).status_code == 302
    page = client.get(root).content.decode()
    assert page.index("Away") < page.index("Prices &amp; more")
    assert "Subject: price" in page
    assert "until Dec. 31, 2031" in page
    assert "Move Away down" in page
    assert "Move Away up" not in page

    for action, order in (
        ("up", ["Prices & more", "Away"]),
        ("up", ["Prices & more", "Away"]),
        ("down", ["Away", "Prices & more"]),
    ):
        assert client.post(root, {"name": "Prices & more", "action": action}).status_code == 302
        assert names() == order

    client.post(root, {"name": "Away", "action": "off"})
    assert [reply.enabled for reply in Autoresponder.objects.order_by("position")] == [False, True]
    assert "See our list." in SieveScript.objects.get().script
    client.post(root, {"name": "Away", "action": "on"})

    edit = f"{root}edit/?name=Prices+%26+more"
    assert 'value="price"' in client.get(edit).content.decode()
    assert (
        client.post(edit, fields(text="Ask us.", key_where="body", key="cost", answers_per_day="3")).status_code == 302
    )
    reply = Autoresponder.objects.get(name="Prices & more")
    assert (reply.text, reply.key_where, reply.key, reply.answers_per_day, reply.end_date) == (
        "Ask us.",
        "body",
        "cost",
        3,
        None,
    )
    assert names() == ["Away", "Prices & more"], "a changed one keeps its place"

    client.post(root, {"name": "Away", "action": "remove"})
    assert names() == ["Prices & more"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "Taken"}, "name"),
        ({"text": ""}, "text"),
        ({"key_where": "subj"}, "key"),
        ({"key_where": "head"}, "key_where"),
        ({"answers_per_day": "0"}, "answers_per_day"),
        ({"reply_to": "nobody"}, "reply_to"),
        ({"forward": "bob@example.test"}, "forward"),
        ({"start_date": "2031-02-02", "end_date": "2031-02-01"}, "end_date"),
        ({"text": "x" * 300_000}, "text"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(place: tuple[Client, str], changes: dict[str, str], field: str) -> None:
    client, root = place
    client.post(f"{root}edit/", fields(name="Taken"))
    response = client.post(f"{root}edit/", fields(**changes))
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in response.content.decode() or f'href="#id_{field}"' in response.content.decode()
    assert names() == ["Taken"]


def stored() -> list[tuple[str, int]]:
    return list(RepositoryFile.objects.order_by("name").values_list("name", "size"))


def upload(name: str, content: bytes = b"one euro") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_files_are_attached_exchanged_and_taken_off(place: tuple[Client, str]) -> None:
    client, root = place
    new = fields(new_files=[upload("price.txt"), upload("übersicht ä.txt", b"1")])
    assert client.post(f"{root}edit/", new).status_code == 302
    assert client.post(f"{root}edit/", fields(name="Other", attachments=["price.txt"])).status_code == 302
    edit = f"{root}edit/?name=Away"
    page = client.get(edit).content.decode()
    assert page.count(" checked") == 3, "switched on, with both files"
    assert "price.txt (8 B)" in page
    assert "Files that go with it" in page
    changes = fields(attachments=["übersicht ä.txt"], new_files=[upload("übersicht ä.txt", b"22"), upload("new.txt")])
    assert client.post(edit, changes).status_code == 302
    attached = AutoresponderAttachment.objects.order_by("autoresponder__position", "id")
    assert list(attached.values_list("autoresponder__name", "file__name")) == [
        ("Away", "übersicht ä.txt"), ("Away", "new.txt"), ("Other", "price.txt"),
    ]  # fmt: skip
    assert stored() == [("new.txt", 8), ("price.txt", 8), ("übersicht ä.txt", 2)]
    assert client.post(edit, fields()).status_code == 302
    assert list(attached.values_list("autoresponder__name", flat=True)) == ["Other"]


def test_files_are_kept_for_later_and_removed_with_what_they_went_with(place: tuple[Client, str]) -> None:
    client, root = place
    files = f"{root}files/"
    assert client.post(files, {"new_files": [upload("a.txt"), upload("b.txt")]}).status_code == 302
    client.post(f"{root}edit/", fields(attachments=["a.txt"]))
    page = client.get(root).content.decode()
    assert re.search(r"a\.txt</th>\s*<td>8 B</td>\s*<td>Away</td>", page)
    assert client.post(files, {"remove": "a.txt"}).status_code == 302
    assert stored() == [("b.txt", 8)]
    assert names() == ["Away"]
    assert not AutoresponderAttachment.objects.exists()
    assert client.post(files, {"remove": "a.txt"}).status_code == 404


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "Choose a file first."),
        ([upload("good.txt"), upload("empty.txt", b"")], "The submitted file is empty."),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_is_kept(
    place: tuple[Client, str], files: list[SimpleUploadedFile], said: str
) -> None:
    client, root = place
    response = client.post(f"{root}files/", {"new_files": files})
    assert response.status_code == 422
    assert said in response.content.decode()
    assert stored() == []


def test_more_than_goes_with_a_reply_is_refused_beside_the_files(place: tuple[Client, str]) -> None:
    client, root = place
    client.post(f"{root}files/", {"new_files": [upload("half.bin", b"x" * 3 * 2**20)]})
    too_much = fields(attachments=["half.bin"], new_files=[upload("more.bin", b"x" * (2 * 2**20 + 1))])
    response = client.post(f"{root}edit/", too_much)
    assert response.status_code == 422
    assert "5.0 MB together are too many. Attach at most 5 MB." in response.content.decode()
    assert 'id="id_new_files_error"' in response.content.decode()
    assert (names(), stored()) == ([], [("half.bin", 3 * 2**20)])
    assert client.post(f"{root}edit/", fields(attachments=["missing.bin"])).status_code == 422


def test_what_is_not_there_and_what_is_foreign_are_not_found(
    place: tuple[Client, str], charlie: Account, bob: MailAccount, log_in: LogIn
) -> None:
    client, root = place
    assert client.post(root, {"name": "Nothing", "action": "up"}).status_code == 404
    assert client.get(f"{root}edit/?name=Nothing").status_code == 404
    client.post(f"{root}edit/", fields())
    assert client.post(root, {"name": "Away", "action": "explode"}).status_code == 404
    stranger = log_in("charlie")
    for path in (f"/mail/{bob.pk}/replies/", f"/mail/{bob.pk}/replies/edit/?name=Away"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/mail/{bob.pk}/replies/files/", {"new_files": upload("a.txt")}).status_code == 404
    for path in (f"/mail/{bob.pk}/replies/", f"/mail/{bob.pk}/replies/edit/?name=Away"):
        assert stranger.post(path, {"name": "Away", "action": "remove"}).status_code == 404
    assert names() == ["Away"]
