"""The file manager through Django's client: what a page does, and what it refuses whom."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.models import AuditEntry
from innkeeper.hosting.models import Site, WebUser
from innkeeper.jobs import trash
from innkeeper.permissions.nt.sid import user
from tests.hosted import Hosted, hosting_machine
from tests.people import make_account, make_site

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a system user: run as root")
Browser = Callable[..., Client]


@pytest.fixture(scope="module")
def machine() -> Iterator[Hosted]:
    with hosting_machine() as machine:
        yield machine


@pytest.fixture
def root(machine: Hosted, site: Site) -> Path:
    Site.objects.filter(pk=site.pk).update(hosting_type=Site.Hosting.VIRTUAL)
    return machine.tree(site.ascii_name)


@pytest.fixture
def browser(log_in: Browser, root: Path) -> Client:
    return log_in("alice")


def put(machine: Hosted, path: Path, text: str = "") -> None:
    path.write_text(text)
    machine.own(path)


def audit() -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(object_type="files").order_by("pk")
    return list(entries.values_list("operation", "detail"))


def upload(browser: Client, site: Site, name: str, data: bytes, **more: str) -> object:
    file = SimpleUploadedFile(name, data)
    return browser.post(f"/files/{site.pk}/upload/", {"path": "httpdocs", "file": file, **more})


def test_a_folder_is_shown_with_the_way_to_it(browser: Client, site: Site, root: Path, machine: Hosted) -> None:
    (root / "httpdocs/blog").mkdir()
    put(machine, root / "httpdocs/page.html", "x" * 2048)
    page = browser.get(f"/files/{site.pk}/", {"path": "httpdocs"}).content.decode()
    assert page.index(">blog<") < page.index(">page.html<")
    assert "2 kB" in page and "-rw-" in page and machine.user in page
    assert f'href="/files/{site.pk}/?path=httpdocs%2Fblog"' in page
    assert browser.get("/files/").headers["Location"] == f"/files/{site.pk}/"


def test_strangers_meet_what_never_was(
    log_in: Browser, site: Site, root: Path, charlie: Account, admin: Account
) -> None:
    own = make_site(charlie, "charlie.test")
    stranger = log_in("charlie")
    for address in ("", "trash/", "rename/?path=httpdocs", "download/?path=httpdocs"):
        for number in (site.pk, 10**6, 2**70):
            assert stranger.get(f"/files/{number}/{address}").status_code == 404
    for address in ("change/", "folder/", "upload/", "upload/begin/", "upload/part/", "upload/end/", "upload/drop/"):
        assert stranger.post(f"/files/{site.pk}/{address}", {"path": "httpdocs", "name": "x"}).status_code == 404
    assert list((root / "httpdocs").iterdir()) == []
    assert stranger.get(f"/files/{own.pk}/").status_code == 404  # no tree: said in words
    assert log_in("admin").get(f"/files/{site.pk}/").status_code == 200
    assert Client().get(f"/files/{site.pk}/").status_code == 302


def test_a_file_goes_up_and_comes_down(browser: Client, site: Site, root: Path) -> None:
    data = os.urandom(3 * 1024 * 1024)
    assert upload(browser, site, "photo.jpg", data).status_code == 302  # type: ignore[attr-defined]
    assert (root / "httpdocs/photo.jpg").read_bytes() == data
    answer = browser.get(f"/files/{site.pk}/download/", {"path": "httpdocs/photo.jpg"})
    assert b"".join(answer.streaming_content) == data  # type: ignore[attr-defined]
    assert answer["Content-Length"] == str(len(data))
    assert answer["Content-Disposition"] == 'attachment; filename="photo.jpg"'
    assert answer["Content-Type"] == "application/octet-stream"
    refused = upload(browser, site, "photo.jpg", b"new")
    assert refused.status_code == 422 and "there already" in refused.content.decode()  # type: ignore[attr-defined]
    assert upload(browser, site, "photo.jpg", b"new", replace="1").status_code == 302  # type: ignore[attr-defined]
    assert (root / "httpdocs/photo.jpg").read_bytes() == b"new"
    assert len(list((root / "httpdocs").iterdir())) == 1
    assert [name for name, _ in audit()] == ["files.upload", "files.download", *["files.upload"] * 3]
    assert audit()[3][1].startswith("not done: Something of this name is there already.")


def test_an_upload_by_parts_is_seen_when_it_is_complete(browser: Client, site: Site, root: Path) -> None:
    address = f"/files/{site.pk}/upload"

    def ask(step: str, body: bytes = b"") -> tuple[int, dict[str, str]]:
        answer = browser.post(f"{address}/{step}", body, content_type="application/octet-stream")
        return answer.status_code, json.loads(answer.content)

    _, begun = ask("begin/?path=httpdocs&name=big")
    at = f"path=httpdocs&token={begun['token']}"
    assert ask(f"part/?{at}&offset=0", b"abc") == (200, {"size": 3})
    assert ask(f"part/?{at}&offset=9", b"x")[0] == 422
    assert ask(f"end/?{at}&name=big&size=6")[0] == 422
    assert ">big<" not in browser.get(f"/files/{site.pk}/", {"path": "httpdocs"}).content.decode()
    assert ask(f"part/?{at}&offset=3", b"def") == (200, {"size": 6})
    assert ask(f"end/?{at}&name=big&size=6") == (200, {"name": "big"})
    assert (root / "httpdocs/big").read_bytes() == b"abcdef"
    assert ask("part/?path=httpdocs&token=../../x&offset=0", b"x")[0] == 422
    assert ask("begin/?path=httpdocs&name=a%2Fb")[0] == 422
    assert ask("begin/?path=conf&name=x")[0] == 422
    _, again = ask("begin/?path=httpdocs&name=other")
    assert ask(f"drop/?path=httpdocs&token={again['token']}")[0] == 200
    assert [path.name for path in (root / "httpdocs").iterdir()] == ["big"]


def test_removed_files_come_back(browser: Client, site: Site, root: Path, machine: Hosted) -> None:
    put(machine, root / "httpdocs/one", "1")
    put(machine, root / "httpdocs/two", "2")
    change = {"path": "httpdocs", "name": ["one", "two", "gone"], "do": "remove"}
    page = browser.post(f"/files/{site.pk}/change/", change, follow=True).content.decode()
    assert "2 objects went to the trash." in page and "gone: It is not there any more." in page
    assert list((root / "httpdocs").iterdir()) == []
    assert "httpdocs/one" in browser.get(f"/files/{site.pk}/trash/").content.decode()
    assert browser.post(f"/files/{site.pk}/trash/", {"key": "../x"}).status_code == 422
    assert browser.post(f"/files/{site.pk}/trash/", {"key": "1-000000000000"}).status_code == 302
    assert browser.post(f"/files/{site.pk}/change/", change | {"name": "../x"}).status_code == 422
    browser.post("/files/undo/")
    assert sorted(path.name for path in (root / "httpdocs").iterdir()) == ["one", "two"]
    browser.post(f"/files/{site.pk}/change/", change)
    assert "deleted for good" in browser.post(f"/files/{site.pk}/trash/", {"do": "empty"}, follow=True).content.decode()
    assert list((root / ".trash").iterdir()) == []


def test_folders_names_and_archives(browser: Client, site: Site, root: Path) -> None:
    folder = {"path": "httpdocs", "name": "blog"}
    assert browser.post(f"/files/{site.pk}/folder/", folder).status_code == 302
    assert browser.post(f"/files/{site.pk}/folder/", folder).status_code == 422
    for bad in ("", "..", "a/b", "a\\b", " a", "a\n", "\u202ea", "x" * 256, ".upload-" + "0" * 32):
        assert browser.post(f"/files/{site.pk}/folder/", {"path": "httpdocs", "name": bad}).status_code == 422, bad
    assert browser.post(f"/files/{site.pk}/folder/", {"path": "conf", "name": "x"}).status_code == 422
    rename = {"path": "httpdocs/blog", "name": "news"}
    assert browser.post(f"/files/{site.pk}/rename/", rename).headers["Location"] == f"/files/{site.pk}/?path=httpdocs"
    assert browser.post(f"/files/{site.pk}/rename/", rename).status_code == 422
    pack = {"path": "httpdocs", "name": ["news"], "do": "pack", "kind": "tar.gz"}
    assert "news.tar.gz was made." in browser.post(f"/files/{site.pk}/change/", pack, follow=True).content.decode()
    assert (root / "httpdocs/news.tar.gz").stat().st_size > 0
    assert browser.post(f"/files/{site.pk}/change/", pack | {"kind": "rar"}).status_code == 422
    assert browser.post(f"/files/{site.pk}/change/", {"path": "httpdocs", "do": "remove"}).status_code == 422


def test_a_strange_name_is_shown_escaped_and_works(browser: Client, site: Site, root: Path, machine: Hosted) -> None:
    for name in (b"a\nb", b"\xff", b"<b>&", b"back\\slash"):
        put(machine, root / "httpdocs" / os.fsdecode(name), "text")
    page = browser.get(f"/files/{site.pk}/", {"path": "httpdocs"}).content.decode()
    for text in ("a\\x0ab", "\\xff", "&lt;b&gt;&amp;", "back\\\\slash"):
        assert f">{text}<" in page
    names = ["a\\x0ab", "\\xff", "<b>&", "back\\\\slash"]
    for text in names:
        answer = browser.get(f"/files/{site.pk}/download/", {"path": f"httpdocs/{text}"})
        assert b"".join(answer.streaming_content) == b"text"  # type: ignore[attr-defined]
    browser.post(f"/files/{site.pk}/rename/", {"path": "httpdocs/\\xff", "name": "good"})
    assert (root / "httpdocs/good").exists()
    browser.post(f"/files/{site.pk}/change/", {"path": "httpdocs", "name": [names[0], *names[2:]], "do": "remove"})
    assert [path.name for path in (root / "httpdocs").iterdir()] == ["good"]
    for bad in ("../etc", "a\\q", "\\ud800", "a/" * 101, "x" * 256):
        assert browser.get(f"/files/{site.pk}/", {"path": bad}).status_code == 404


def test_permissions_are_shown_and_set(browser: Client, site: Site, root: Path, machine: Hosted) -> None:
    (root / "httpdocs/blog").mkdir()
    machine.own(root / "httpdocs/blog")
    machine.rule(site.ascii_name)
    address = f"/files/{site.pk}/rights/"
    page = browser.get(address, {"path": "httpdocs/blog"}).content.decode()
    assert "Permissions of blog" in page and f"Rights of {machine.user}" in page
    assert "Inherited from /httpdocs (.security, line" in page
    web = user(pwd.getpwnam("www-data").pw_uid)
    form = {"path": "httpdocs/blog", "account": web, "deny": "full", "applies": "ThisFolderSubfoldersAndFiles"}
    page = browser.post(address, form, follow=True).content.decode()
    assert "1 object has other rights now." in page and "Own rule (.security, line" in page
    assert "No" in page and "Asked of the system itself." in page
    for bad in ({"deny": []}, {"allow": "full"}, {"applies": "Everything"}, {"account": "S-1-22-1-0"}, {"account": ""}):
        assert browser.post(address, form | bad).status_code == 422, bad
    page = browser.post(address, form | {"do": "forget"}, follow=True).content.decode()
    assert "Own rule" not in page
    page = browser.get(address, {"path": "httpdocs"}).content.decode()
    assert "services rely on its rights" in page and 'value="read" checked disabled' in page
    assert browser.post(address, form | {"path": "httpdocs"}).status_code == 422
    assert audit()[0][1] == f"httpdocs/blog: {web}: allow 0x0, deny 0x1f01ff, ThisFolderSubfoldersAndFiles"


def test_a_strangers_permissions_are_not_there(log_in: Browser, site: Site, root: Path, charlie: Account) -> None:
    stranger = log_in("charlie")
    assert stranger.get(f"/files/{site.pk}/rights/", {"path": "httpdocs"}).status_code == 404
    assert stranger.post(f"/files/{site.pk}/rights/", {"path": "httpdocs"}).status_code == 404


def test_the_trash_is_emptied_of_what_is_old(
    browser: Client, site: Site, root: Path, machine: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("old", "new"):
        put(machine, root / "httpdocs" / name)
    browser.post(f"/files/{site.pk}/change/", {"path": "httpdocs", "name": ["old", "new"], "do": "remove"})
    old = next(place for place in (root / ".trash").iterdir() if (place / "origin").read_text() == "httpdocs/old")
    came = int(old.name.partition("-")[0])
    old.rename(old.with_name(old.name.replace(str(came), str(came - 8 * 86_400))))
    monkeypatch.setattr(trash, "services", lambda: machine.client)
    trash.empty_trash.call()
    (left,) = (root / ".trash").iterdir()
    assert (left / "origin").read_text() == "httpdocs/new"


def test_subdomains_and_web_users_are_found_in_their_domain(
    browser: Client, site: Site, root: Path, log_in: Browser, charlie: Account
) -> None:
    shop = make_site(site.webspace.owner, "shop.example.test", hosting_type=Site.Hosting.VIRTUAL)  # type: ignore[union-attr]
    Site.objects.filter(pk=shop.pk).update(parent=site, webspace=site.webspace)
    WebUser.objects.create(site=site, login="joe", created_at=timezone.now())
    page = browser.get("/files/").content.decode()
    assert f'href="/files/{site.pk}/?path=subdomains%2Fshop"' in page and "shop.example.test" in page
    assert f'href="/files/{site.pk}/?path=web_users%2Fjoe"' in page and "joe@example.test" in page
    assert "shop.example.test" in browser.get("/files/", {"q": "SHOP"}).content.decode()
    assert "No site matches" in browser.get("/files/", {"q": "other"}).content.decode()
    assert "No site with files yet" in log_in("charlie").get("/files/").content.decode()


def test_a_reseller_has_the_files_of_its_customers(admin: Account, machine: Hosted, log_in: Browser) -> None:
    rita = make_account("rita", "reseller", owner=admin)
    carl = make_account("carl", owner=rita)
    site = make_site(carl, "carl.test", hosting_type=Site.Hosting.VIRTUAL)
    machine.tree("carl.test")
    assert log_in("rita").get("/files/").headers["Location"] == f"/files/{site.pk}/"
    assert log_in("rita").get(f"/files/{site.pk}/").status_code == 200
