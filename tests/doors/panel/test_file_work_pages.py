"""Pages of the file manager on which work is asked for, followed, stopped and undone; moving, editing, unpacking."""

from __future__ import annotations

import io
import json
import os
import pwd
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.models import AuditEntry
from innkeeper.hostd.client import HostdError
from innkeeper.hostd.file_client import FileRefusedError, Files
from innkeeper.hosting import files as queries
from innkeeper.hosting.models import FileWork, Site
from innkeeper.hosting.operations import file_work
from innkeeper.jobs import effects
from innkeeper.jobs.effects import work_on_files
from innkeeper.jobs.file_work import file_work_task
from innkeeper.jobs.models import Job
from innkeeper.permissions.nt.sid import user
from tests.hosted import Hosted, hosting_machine
from tests.people import make_site

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a system user: run as root")
Browser = Callable[..., Client]
WEB = user(pwd.getpwnam("www-data").pw_uid)


@pytest.fixture(scope="module")
def machine() -> Iterator[Hosted]:
    with hosting_machine() as machine:
        yield machine


@pytest.fixture
def top(machine: Hosted, site: Site) -> Path:
    Site.objects.filter(pk=site.pk).update(hosting_type=Site.Hosting.VIRTUAL)
    return machine.tree(site.ascii_name) / "httpdocs"


@pytest.fixture
def browser(log_in: Browser, top: Path) -> Client:
    return log_in("alice")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work waits for a worker, and no page waits for its end."""
    monkeypatch.setattr(effects, "work_on_files", work_on_files)
    monkeypatch.setattr(queries, "WAITED_S", 0.0)
    monkeypatch.setattr(queries.waited_for, "__defaults__", (0.0,))


def put(machine: Hosted, path: Path, data: bytes = b"") -> None:
    path.write_bytes(data)
    machine.own(path)


def change(browser: Client, site: Site, act: str, *names: str, **more: str) -> Any:
    return browser.post(f"/files/{site.pk}/change/", {"path": "httpdocs", "name": names, "do": act, **more})


def page(browser: Client, site: Site, address: str = "?path=httpdocs") -> str:
    return browser.get(f"/files/{site.pk}/{address}").content.decode()


def audit() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(object_type="files").order_by("pk").values_list("operation", "detail"))


# ---- followed to the end


def test_short_work_is_told_once_where_it_was_asked_for(
    browser: Client, site: Site, top: Path, machine: Hosted
) -> None:
    put(machine, top / "a", b"1")
    (top / "out").symlink_to("/etc")
    assert change(browser, site, "pack", "a", "out", archive="both").status_code == 302
    text = page(browser, site)
    assert "both.zip was made." in text and "1 object was left out" in text and "out</div>" in text
    assert "was made." not in page(browser, site)
    assert "both.zip was made." in page(browser, site, "work/")
    assert audit() == [("files.pack", "a, out in /httpdocs -> both.zip")]
    refused = change(browser, site, "pack", "a", "out", archive="both")
    assert refused.status_code == 422 and "there already" in refused.content.decode()
    assert any(detail.startswith("not done: Something of this name is there already.") for _, detail in audit())


def test_long_work_is_followed_and_its_end_is_told(
    browser: Client, site: Site, top: Path, machine: Hosted, later: None
) -> None:
    put(machine, top / "a", b"1")
    change(browser, site, "pack", "a")
    (work,) = FileWork.objects.all()
    text = page(browser, site)
    assert "Packing a into a.zip" in text and "Waiting for its turn" in text and 'hx-trigger="every 1s"' in text
    FileWork.objects.update(
        come=json.dumps({"objects": 3, "of_objects": 12, "bytes": 2048, "of_bytes": 8192, "at": 0, "end": 0})
    )
    part = browser.get(f"/files/{site.pk}/work/{work.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "3 of 12 objects, 2 kB" in part and 'max="1000" value="250"' in part and "<html" not in part
    (job,) = Job.objects.all()
    assert (job.queue, json.loads(job.arguments)) == ("files", [[work.pk], {}])
    file_work_task.call(work.pk)
    part = browser.get(f"/files/{site.pk}/work/{work.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "a.zip was made." in part and "hx-trigger" not in part and "data-said" in part
    file_work_task.call(work.pk)  # a job that comes twice does nothing twice
    assert sorted(path.name for path in top.iterdir()) == ["a", "a.zip"]


def test_progress_is_told_in_real_counts(browser: Client, site: Site, top: Path, machine: Hosted, later: None) -> None:
    put(machine, top / "a")
    change(browser, site, "pack", "a")
    cases: list[tuple[dict[str, int], str]] = [
        ({"seen": 1200}, "1200 objects counted"),
        ({"removed": 1}, "1 object deleted"),
        ({"looked_at": 5000, "changed": 70}, "5000 objects looked at, 70 changed"),
        ({"objects": 9, "of_objects": 0, "bytes": 0, "of_bytes": 0, "at": 50, "end": 100}, 'value="500"'),
    ]
    for come, words in cases:
        FileWork.objects.update(come=json.dumps(come))
        assert words in page(browser, site)


def test_work_is_stopped_but_rules_are_not(
    browser: Client, site: Site, top: Path, machine: Hosted, later: None
) -> None:
    put(machine, top / "a", b"1")
    change(browser, site, "pack", "a")
    (work,) = FileWork.objects.all()
    for _ in range(2):
        assert browser.post(f"/files/{site.pk}/work/{work.pk}/stop/").status_code == 302
    assert [name for name, _ in audit()] == ["files.pack", "files.stop"], "pressed twice, done once"
    file_work_task.call(work.pk)
    assert "It was stopped. Nothing of it stays." in page(browser, site, "work/")
    assert [path.name for path in top.iterdir()] == ["a"]
    machine.rule(site.ascii_name)
    form = {"path": "httpdocs/a", "account": WEB, "deny": "full", "applies": "ThisObjectOnly"}
    assert browser.post(f"/files/{site.pk}/rights/", form).status_code == 302
    rules = FileWork.objects.latest("pk")
    assert browser.post(f"/files/{site.pk}/work/{rules.pk}/stop/").status_code == 403
    file_work_task.call(rules.pk)
    # Stopping while it runs: hostd is hung up on as soon as it tells how far it is.
    change(browser, site, "pack", "a")
    running = FileWork.objects.latest("pk")

    def work_on(_files: Files, _op: str, told: Any, **_wanted: Any) -> Any:
        told({"seen": 1})
        FileWork.objects.filter(pk=running.pk).update(is_stopped=True)
        told._next = 0
        told({"seen": 2})
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Files, "work", work_on)
        file_work_task.call(running.pk)
    running.refresh_from_db()
    assert (running.refusal, running.ended_at is not None) == ("stopped", True)


def test_permissions_are_undone_from_the_page_that_set_them(
    browser: Client, site: Site, top: Path, machine: Hosted
) -> None:
    (top / "blog").mkdir()
    machine.own(top / "blog")
    machine.rule(site.ascii_name)
    before = (top.parent / ".security").read_bytes()
    form = {"path": "httpdocs/blog", "account": WEB, "deny": "full", "applies": "ThisFolderSubfoldersAndFiles"}
    answer = browser.post(f"/files/{site.pk}/rights/", form, headers={"HX-Request": "true"}).content.decode()
    (work,) = FileWork.objects.all()
    assert f'hx-post="/files/{site.pk}/work/{work.pk}/undo/"' in answer and "1 object has other rights now." in answer
    assert (top.parent / ".security").read_bytes() != before
    undone = browser.post(f"/files/{site.pk}/work/{work.pk}/undo/", {"drawer": "1"}, headers={"HX-Request": "true"})
    assert "Undone. 1 object is as it was." in undone.content.decode()
    assert (top.parent / ".security").read_bytes() == before
    again = browser.post(f"/files/{site.pk}/work/{work.pk}/undo/", headers={"HX-Request": "true"}).content.decode()
    assert "Undone. 0 objects are as they were." in again
    newest = FileWork.objects.latest("pk")
    assert browser.post(f"/files/{site.pk}/work/{newest.pk}/undo/").status_code == 403  # an undoing is not undone
    assert ("files.undo-rights", f"httpdocs/blog: run {json.loads(work.result)['run']}") in audit()


def test_work_that_cannot_be_done_ends_and_says_why(
    browser: Client, site: Site, top: Path, machine: Hosted, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(machine, top / "a")
    change(browser, site, "pack", "a")
    (work,) = FileWork.objects.all()

    def failing(error: Exception) -> None:
        def fail(*_args: Any, **_wanted: Any) -> Any:
            raise error

        monkeypatch.setattr(Files, "work", fail)

    failing(ConnectionRefusedError())  # hostd is away: again, and again, but not for ever
    for _ in range(file_work.TRIES - 1):
        with pytest.raises(ConnectionRefusedError):
            file_work_task.call(work.pk)
    file_work_task.call(work.pk)
    assert "The server could not do this." in page(browser, site)
    for error, words in (
        (HostdError("child"), "The server could not do this."),
        (FileRefusedError("too-large", "bytes"), "10 GB in 200,000 files"),
    ):
        change(browser, site, "pack", "a")
        failing(error)
        file_work_task.call(FileWork.objects.latest("pk").pk)
        assert words in page(browser, site)


def test_one_owner_has_only_so_much_work_at_once_and_one_of_it_is_done(
    browser: Client, site: Site, top: Path, machine: Hosted, later: None
) -> None:
    other = make_site(site.webspace.owner, "other.test", hosting_type=Site.Hosting.VIRTUAL)  # type: ignore[union-attr]
    put(machine, machine.tree("other.test") / "httpdocs/a")
    put(machine, top / "a")
    for where in (site, other, other):
        assert change(browser, where, "pack", "a").status_code == 302
    assert "still going on" in change(browser, site, "pack", "a").content.decode()
    first, second, _ = FileWork.objects.order_by("pk")
    Job.objects.all().delete()
    file_work_task.call(second.pk)  # the first has not ended: its turn comes
    second.refresh_from_db()
    (again,) = Job.objects.all()
    assert second.ended_at is None and again.due_at > again.created_at and str(second.pk) in again.arguments
    file_work_task.call(first.pk)
    file_work_task.call(second.pk)
    second.refresh_from_db()
    assert second.ended_at is not None and not second.refusal
    FileWork.objects.update(ended_at=timezone.now() - timedelta(days=8))
    file_work.forget_old()
    assert FileWork.objects.count() == 0


def test_strangers_work_is_not_there(
    browser: Client, site: Site, top: Path, machine: Hosted, log_in: Browser, charlie: Account
) -> None:
    put(machine, top / "a.txt", b"1")
    change(browser, site, "pack", "a.txt")
    (work,) = FileWork.objects.all()
    own = make_site(charlie, "charlie.test", hosting_type=Site.Hosting.VIRTUAL)
    stranger = log_in("charlie")
    for number in (site.pk, own.pk):
        assert stranger.get(f"/files/{number}/work/{work.pk}/").status_code == 404
        for act in ("stop", "undo"):
            assert stranger.post(f"/files/{number}/work/{work.pk}/{act}/").status_code == 404
            assert stranger.get(f"/files/{site.pk}/work/{work.pk}/{act}/").status_code == 405
    for address in ("work/", "edit/?path=httpdocs/a.txt", "unpack/?path=httpdocs/a.zip"):
        assert stranger.get(f"/files/{site.pk}/{address}").status_code == 404
    for address in ("place/", "edit/", "unpack/"):
        form = {"path": "httpdocs/a.txt", "name": "a.txt", "to": "", "do": "move", "text": "x"}
        assert stranger.post(f"/files/{site.pk}/{address}", form).status_code == 404
    assert Client(enforce_csrf_checks=True).post(f"/files/{site.pk}/place/").status_code in (302, 403)
    for number in (0, 2**70):
        assert browser.get(f"/files/{site.pk}/work/{number}/").status_code == 404


def test_a_refusal_may_name_what_is_no_text(
    browser: Client, site: Site, top: Path, machine: Hosted, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(machine, top / "a")

    def fail(*_args: Any, **_wanted: Any) -> Any:
        raise FileRefusedError("rules-broken", "httpdocs/\udcff\0")

    monkeypatch.setattr(Files, "work", fail)
    change(browser, site, "pack", "a")
    file_work_task.call(FileWork.objects.latest("pk").pk)
    assert "httpdocs/\\udcff" in page(browser, site)
    done = {"changed": 1, "run": "", "version": 0, "problems": ["httpdocs/\udcff: hard-link"]}
    FileWork.objects.update(op="files_set_rights", refusal="", result=json.dumps(done), is_told=False)
    assert "httpdocs/\\xff: hard-link" in page(browser, site)


def test_work_that_never_was_is_not_shown_with_permissions(
    browser: Client, site: Site, top: Path, machine: Hosted
) -> None:
    machine.rule(site.ascii_name)
    for number in ("9" * 5_000, "9" * 18, "-1", "\u0663", "0"):
        answer = browser.get(f"/files/{site.pk}/rights/", {"path": "httpdocs", "work": number})
        assert answer.status_code in (200, 404), number


# ---- moving, copying, unpacking, downloading


def test_a_folder_is_chosen_and_objects_go_there(browser: Client, site: Site, top: Path, machine: Hosted) -> None:
    for name in ("blog", "blog/in", "other"):
        (top / name).mkdir()
        machine.own(top / name)
    for name in ("a", "b"):
        put(machine, top / name, name.encode())
    chosen = change(browser, site, "place", "a", "blog").content.decode()
    assert 'name="go" value="httpdocs/other"' in chosen and 'value="httpdocs/blog"' not in chosen
    assert "Move here" not in chosen and "Copy here" in chosen

    def ask(**more: str) -> Any:
        form = {"path": "httpdocs", "name": ["a", "b"], "to": "httpdocs", **more}
        return browser.post(f"/files/{site.pk}/place/", form)

    assert 'value="/httpdocs/blog"' in ask(go="httpdocs/blog").content.decode()
    assert "Move here" in ask(do="open", typed="/httpdocs/blog/").content.decode()
    for bad in ("../etc", "httpdocs/gone", "conf", "httpdocs/a"):
        assert ask(do="open", typed=bad).status_code == 422, bad
    put(machine, top / "blog/b")
    moved = browser.post(
        f"/files/{site.pk}/place/",
        {"path": "httpdocs", "name": ["a", "b"], "to": "httpdocs/blog", "do": "move"},
        follow=True,
    )
    text = moved.content.decode()
    assert "1 object was moved." in text and "b: Something of this name is there already." in text
    assert (top / "blog/a").read_bytes() == b"a" and (top / "b").exists()
    copied = ask(do="copy", to="httpdocs/other")
    assert copied.status_code == 422  # a is not there any more
    form = {"path": "httpdocs", "name": ["b", "blog"], "to": "httpdocs/other", "do": "copy"}
    assert "2 objects were copied." in browser.post(f"/files/{site.pk}/place/", form, follow=True).content.decode()
    assert (top / "other/blog/a").read_bytes() == b"a"
    assert browser.post(f"/files/{site.pk}/place/", form | {"name": []}).status_code == 422
    assert change(browser, site, "place").status_code == 422 and change(browser, site, "other", "b").status_code == 404
    assert audit()[0][1] == "a, b in /httpdocs -> /httpdocs/blog"


def test_an_archive_is_unpacked_beside_itself(browser: Client, site: Site, top: Path, machine: Hosted) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("index.html", "text")
    put(machine, top / "site.zip", made.getvalue())
    put(machine, top / "bad.zip", b"PK\x03\x04")
    assert "unpack/?path=httpdocs%2Fsite.zip" in page(browser, site)
    address = f"/files/{site.pk}/unpack/"
    assert 'value="site"' in browser.get(address, {"path": "httpdocs/site.zip"}).content.decode()
    answer = browser.post(address, {"path": "httpdocs/site.zip", "name": "site"}, follow=True).content.decode()
    assert "site was made, with 1 object." in answer
    assert (top / "site/index.html").read_text() == "text"
    for form, words in (
        ({"path": "httpdocs/site.zip", "name": "site"}, "there already"),
        ({"path": "httpdocs/site.zip", "name": "a/b"}, "no slash"),
        ({"path": "httpdocs/site.zip", "name": "a\\b"}, 'value="a\\b"'),
        ({"path": "httpdocs/bad.zip", "name": "new"}, "damaged"),
        ({"path": "httpdocs/site", "name": "new"}, "no file"),
    ):
        answer = browser.post(address, form)
        assert answer.status_code == 422 and words in answer.content.decode(), form


def test_a_selection_is_downloaded(browser: Client, site: Site, top: Path, machine: Hosted) -> None:
    (top / "blog").mkdir()
    machine.own(top / "blog")
    put(machine, top / "blog/post", b"text")
    answer = change(browser, site, "download", "blog", kind="zip")
    assert answer["Content-Disposition"] == 'attachment; filename="blog.zip"'
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.read("blog/post") == b"text"
    assert change(browser, site, "download", "blog", kind="rar").status_code == 422
    assert audit()[0] == ("files.download", "blog in /httpdocs")


# ---- text


def digest_of(text: str) -> str:
    return text.partition('name="digest" value="')[2].partition('"')[0]


def test_a_text_is_changed_and_keeps_its_form(browser: Client, site: Site, top: Path, machine: Hosted) -> None:
    cases = [
        (b"one\ntwo\n", "one\r\nthree\r\n", b"one\nthree\n"),
        (b"one\r\ntwo\r\n", "one\r\nthree\r\n", b"one\r\nthree\r\n"),
        (b"\xef\xbb\xbfone", "\u00fc", b"\xef\xbb\xbf\xc3\xbc"),
        (b"\n\nlast", "\r\n\r\nlast!", b"\n\nlast!"),
        (b"", "first", b"first"),
    ]
    file, address, path = top / os.fsdecode(b"page\xff.html"), f"/files/{site.pk}/edit/", "httpdocs/page\\xff.html"
    for count, (was, typed, saved) in enumerate(cases, 1):
        put(machine, file, was)
        file.chmod(0o640)
        for _ in range(2):  # the second changes nothing, and writes nothing
            digest = digest_of(browser.get(address, {"path": path}).content.decode())
            assert browser.post(address, {"path": path, "text": typed, "digest": digest}).status_code == 302
        assert file.read_bytes() == saved
        assert file.stat().st_mode & 0o777 == 0o640
        assert len(list((top.parent / ".trash").iterdir())) == count  # what was there can be brought back


def test_a_text_that_somebody_else_changed_is_not_overwritten_unseen(
    browser: Client, site: Site, top: Path, machine: Hosted
) -> None:
    put(machine, top / "a.txt", b"one")
    address, form = f"/files/{site.pk}/edit/", {"path": "httpdocs/a.txt", "text": "mine </textarea>"}
    digest = digest_of(browser.get(address, {"path": "httpdocs/a.txt"}).content.decode())
    put(machine, top / "a.txt", b"theirs")
    answer = browser.post(address, form | {"digest": digest})
    text = answer.content.decode()
    assert answer.status_code == 422 and "Somebody changed this file" in text and "mine &lt;/textarea&gt;" in text
    assert (top / "a.txt").read_bytes() == b"theirs"
    assert browser.post(address, form | {"digest": digest_of(text)}).status_code == 302
    assert (top / "a.txt").read_bytes() == b"mine </textarea>"


def test_what_is_no_small_text_is_not_edited(browser: Client, site: Site, top: Path, machine: Hosted) -> None:
    for data in (b"\xff", b"a\0", b"a\rb", b"a\r\nb\n", b"x" * (1024 * 1024 + 1)):
        put(machine, top / "a.txt", data)
        answer = browser.get(f"/files/{site.pk}/edit/", {"path": "httpdocs/a.txt"})
        assert answer.status_code == 422, data[:9]
    assert browser.get(f"/files/{site.pk}/edit/", {"path": "httpdocs"}).status_code == 422
    assert browser.get(f"/files/{site.pk}/edit/").status_code == 404


def test_a_new_text_file_is_made_to_be_written(browser: Client, site: Site, top: Path) -> None:
    form = {"path": "httpdocs", "name": "new.txt", "do": "file"}
    answer = browser.post(f"/files/{site.pk}/folder/", form)
    assert answer.headers["Location"] == f"/files/{site.pk}/edit/?path=httpdocs%2Fnew.txt"
    assert (top / "new.txt").read_bytes() == b""
    assert browser.post(f"/files/{site.pk}/folder/", form).status_code == 422
    begun = browser.post(f"/files/{site.pk}/upload/begin/?path=httpdocs&name=new.txt", content_type="text/plain")
    assert json.loads(begun.content)["exists"] is True
