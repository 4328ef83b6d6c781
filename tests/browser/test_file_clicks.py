"""The file manager in a browser: keyboard, uploads with progress, the dialog, and what assistive technology meets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from innkeeper.accounts.models import Account
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hosting.models import FileWork, Site
from tests.browser.test_panel import LOOKS, violations
from tests.hosted import Hosted, hosting_machine
from tests.jobs.test_hosting_jobs import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a system user: run as root")
# Whether the head of the dialog stays before what is scrolled below it, and in how many lines "Allow" stands.
UNCOVERED = """() => {
    const box = document.querySelector("dialog .head h2").getBoundingClientRect();
    return document.elementFromPoint(box.x + 5, box.y + box.height / 2).closest(".head") !== null;
}"""
WHOLE_WORDS = """() => [...document.querySelectorAll(".advanced td:nth-child(2)")].map((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length;
})"""
Open = Callable[..., Page]
SHOTS = os.environ.get("INNKEEPER_SCREENSHOTS")


@pytest.fixture(scope="module")
def machine() -> Iterator[Hosted]:
    with hosting_machine() as machine:
        yield machine


@pytest.fixture
def root(machine: Hosted, site: Site) -> Path:
    Site.objects.filter(pk=site.pk).update(hosting_type=Site.Hosting.VIRTUAL)
    root = machine.tree(site.ascii_name)
    for name in ("blog", "pictures", "a-name-of-a-folder-that-is-rather-long-and-goes-on-and-on-without-a-blank"):
        (root / "httpdocs" / name).mkdir()
    for name, size in (("index.html", 5_310), ("photo of the harbour.jpg", 3_400_000), ("line\nbreak.txt", 20)):
        (root / "httpdocs" / name).write_bytes(b"x" * size)
    (root / "httpdocs" / "current").symlink_to("pictures")
    for path in (root / "httpdocs").iterdir():
        machine.own(path)
    machine.rule(site.ascii_name)
    return root


def going_on(site: Site) -> FileWork:
    """A copy that is on its way."""
    counts = {"objects": 1_200, "of_objects": 5_000, "bytes": 2 << 20, "of_bytes": 9 << 20, "at": 0, "end": 0}
    return FileWork.objects.create(
        site=site,
        op="files_copy_all",
        wanted=json.dumps({"path": ["httpdocs"], "names": ["pictures"], "target": ["private"]}),
        asked_by="{}",
        detail="",
        come=json.dumps(counts),
        created_at=timezone.now(),
    )


def look(page: Page, name: str, scheme: str, width: int) -> None:
    """Keep a picture of the page, where somebody wants to look at it."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}-{scheme}-{width}.png", full_page=True)


@pytest.mark.parametrize(("scheme", "width"), LOOKS if SHOTS else (LOOKS[0], LOOKS[3]))
def test_no_page_of_files_has_an_accessibility_violation(
    scheme: str, width: int, open_page: Open, site: Site, root: Path, alice: Account
) -> None:
    page = open_page("alice", scheme=scheme, width=width)
    found = []
    page.get_by_role("link", name="Files").first.click()
    page.wait_for_url(f"**/files/{site.pk}/")
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    look(page, "folder", scheme, width)
    page.get_by_text("Upload files").click()
    page.get_by_text("New folder or file").click()
    page.get_by_label("Name", exact=True).fill("a/b")
    page.get_by_role("button", name="Make folder").click()
    expect(page.get_by_role("alert")).to_contain_text("no slash")
    found += violations(page)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_role("link", name="Permissions of blog").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "rights", scheme, width)
    page.get_by_text("Advanced").click()
    page.get_by_role("dialog").get_by_role("row").last.scroll_into_view_if_needed()
    look(page, "advanced", scheme, width)
    assert page.evaluate(UNCOVERED)
    assert page.evaluate(WHOLE_WORDS) == [1] * 3
    found += violations(page)
    page.keyboard.press("Escape")
    for name, path in (
        ("sites", "?all=1"),
        ("critical", f"{site.pk}/rights/?path=httpdocs"),
        ("rename", f"{site.pk}/rename/?path=httpdocs/blog"),
        ("unpack", f"{site.pk}/unpack/?path=httpdocs/old.zip"),
        ("edit", f"{site.pk}/edit/?path=httpdocs/index.html"),
    ):
        page.goto(f"/files/{path}")
        look(page, name, scheme, width)
        found += violations(page)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_label("Select index.html").check()
    page.get_by_role("button", name="Move or copy").click()
    look(page, "place", scheme, width)
    found += violations(page)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_label("Select index.html").check()
    page.get_by_role("button", name="Pack").click()
    expect(page.get_by_text("index.html.zip was made.")).to_be_visible()
    going_on(site)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    expect(page.get_by_text("1200 of 5000 objects, 2 MB")).to_be_visible()
    look(page, "work", scheme, width)
    found += violations(page)
    page.goto(f"/files/{site.pk}/work/")
    look(page, "works", scheme, width)
    found += violations(page)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_label("Select index.html", exact=True).check()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("1 object went to the trash.")).to_be_visible()
    page.goto(f"/files/{site.pk}/trash/")
    look(page, "trash", scheme, width)
    found += violations(page)
    assert found == []


@pytest.mark.parametrize(
    "path",
    [
        "{}/?path=httpdocs", "{}/trash/", "{}/rights/?path=httpdocs/blog", "{}/work/",
        "{}/edit/?path=httpdocs/index.html",
    ],
)  # fmt: skip
def test_no_page_of_files_scrolls_sideways_on_a_phone(path: str, open_page: Open, site: Site, root: Path) -> None:
    page = open_page("alice", width=320)
    page.goto("/files/" + path.format(site.pk))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize(("scheme", "width"), LOOKS if SHOTS else (LOOKS[0], LOOKS[3]))
def test_files_of_removed_sites_are_found_and_given_back(
    scheme: str, width: int, open_page: Open, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path / "vhosts")
    monkeypatch.setattr("innkeeper.hosting.operations.trees.services", lambda: machine)
    Site.objects.filter(pk=site.pk).update(hosting_type=Site.Hosting.VIRTUAL)
    old = Spec("domain", 900, 900, 900, site.ascii_name)
    gone = [
        Spec("webuser", 901, 900, 900, site.ascii_name, "petr"),
        Spec("subdomain", 902, 900, 900, site.ascii_name, "a-rather-long-name-of-a-shop"),
        old,
    ]
    machine.ensure_trees(gone[::-1])
    machine.bury_trees(gone)
    page = open_page("admin", scheme=scheme, width=width)
    found = []
    page.goto("/files/?all=1")
    page.get_by_role("main").get_by_role("link", name="Removed").click()
    expect(page.get_by_text("Create it again to restore them")).to_have_count(2)
    look(page, "removed", scheme, width)
    found += violations(page)
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("come back in a moment")).to_be_visible()
    look(page, "restored", scheme, width)
    found += violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/settings/")
    look(page, "settings", scheme, width)
    found += violations(page)
    page.goto("/files/removed/?q=nobody")
    look(page, "removed-none", scheme, width)
    found += violations(page)
    assert found == []


def test_files_go_up_in_parts_with_progress(open_page: Open, site: Site, root: Path, tmp_path: Path) -> None:
    data = os.urandom(5 * 1024 * 1024)
    (tmp_path / "film.mp4").write_bytes(data)
    (tmp_path / "index.html").write_bytes(b"new")
    page = open_page("alice")
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_text("Upload files").click()
    page.get_by_label("Files", exact=True).set_input_files([tmp_path / "film.mp4", tmp_path / "index.html"])
    parts: list[str] = []
    page.on("request", lambda request: parts.append(request.url) if "/upload/part/" in request.url else None)
    page.get_by_role("button", name="Upload", exact=True).click()
    rows = page.get_by_role("list", name="Progress").get_by_role("listitem")
    expect(rows.nth(0)).to_contain_text("Uploaded")
    ask = rows.nth(1).get_by_role("group", name="There is something of this name already.")
    expect(ask.get_by_role("button", name="Replace it")).to_be_focused()
    assert (root / "httpdocs/index.html").stat().st_size == 5_310
    with page.expect_navigation():
        ask.get_by_role("button", name="Keep both").click()
    assert (root / "httpdocs/index (2).html").read_bytes() == b"new"
    assert len(parts) == 4  # three of the film, one of the page
    assert (root / "httpdocs/film.mp4").read_bytes() == data
    assert (root / "httpdocs/index.html").stat().st_size == 5_310
    page.get_by_text("Upload files").click()
    page.get_by_label("Files", exact=True).set_input_files([tmp_path / "index.html", tmp_path / "film.mp4"])
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_label("Do the same with all others").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Replace it").press("Enter")
    assert (root / "httpdocs/index.html").read_bytes() == b"new"
    expect(page.get_by_role("link", name="film.mp4", exact=True)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="film.mp4", exact=True).click()
    assert Path(download.value.path()).read_bytes() == data


def test_work_is_watched_and_a_folder_is_chosen_by_keys(
    open_page: Open, site: Site, root: Path, tmp_path: Path
) -> None:
    page = open_page("alice")
    work = going_on(site)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    bar = page.get_by_role("progressbar", name="Copying pictures to /private")
    expect(bar).to_have_attribute("value", "222")
    counts = json.loads(work.come) | {"objects": 4_000, "bytes": 9 << 20}
    FileWork.objects.update(come=json.dumps(counts))
    expect(page.get_by_text("4000 of 5000 objects, 9 MB")).to_be_visible()
    done = {"names": ["pictures"], "objects": 5_000, "bytes": 9 << 20, "left_out": 0, "examples": []}
    FileWork.objects.update(ended_at=timezone.now(), result=json.dumps(done))
    expect(page.get_by_text("1 object was copied.", exact=True)).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("Copying pictures to /private: 1 object was copied.")
    page.get_by_label("Select index.html").check()
    page.get_by_role("button", name="Move or copy").press("Enter")
    page.get_by_role("button", name="blog").press("Enter")
    expect(page.get_by_label("Into the folder")).to_have_value("/httpdocs/blog")
    page.get_by_role("button", name="Move here").press("Enter")
    expect(page.get_by_text("1 object was moved.")).to_be_visible()
    page.get_by_role("link", name="Edit index.html").press("Enter")
    page.get_by_label("Text").fill("by hand")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("index.html was saved.")).to_be_visible()
    assert (root / "httpdocs/blog/index.html").read_text() == "by hand"


def test_a_dropped_file_goes_up(open_page: Open, site: Site, root: Path) -> None:
    page = open_page("alice")
    page.goto(f"/files/{site.pk}/?path=httpdocs/blog")
    with page.expect_navigation():
        page.evaluate(
            """() => {
                const data = new DataTransfer();
                data.items.add(new File(["dropped"], "note.txt"));
                const how = {dataTransfer: data, bubbles: true, cancelable: true};
                document.body.dispatchEvent(new DragEvent("drop", how));
            }"""
        )
    expect(page.get_by_role("link", name="note.txt", exact=True)).to_be_visible()
    assert (root / "httpdocs/blog/note.txt").read_text() == "dropped"


def test_everything_is_done_by_keys(open_page: Open, site: Site, root: Path) -> None:
    page = open_page("alice")
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    for key in ("j", "j", "j", "x"):
        page.keyboard.press(key)
    expect(page.get_by_label("Select pictures")).to_be_checked()
    page.get_by_role("button", name="Remove").press("Enter")
    expect(page.get_by_text("1 object went to the trash.")).to_be_visible()
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_text("httpdocs/pictures is back.")).to_be_visible()
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    lock = page.get_by_role("link", name="Permissions of blog")
    lock.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(lock).to_be_focused()


def test_the_dialog_sets_a_rule_and_tells_its_effect(open_page: Open, site: Site, root: Path) -> None:
    page = open_page("alice")
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_role("link", name="Permissions of blog").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name="www-data", exact=True).click()
    expect(dialog.get_by_text("Effective rights of www-data")).to_be_visible()
    answers = dialog.get_by_role("table", name="Effective rights").get_by_role("row")
    expect(answers.nth(1)).to_contain_text("Yes")
    dialog.get_by_label("Allow Read and execute").uncheck()
    dialog.get_by_label("Allow Read", exact=True).uncheck()
    dialog.get_by_label("Deny Read and execute").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("1 object has other rights now.")).to_be_visible()
    expect(answers.nth(1)).to_contain_text("No")
    dialog.get_by_role("button", name="Undo").click()
    expect(dialog.get_by_text("Undone. 1 object is as it was.")).to_be_visible()
    dialog.get_by_role("link", name="Permissions").click()
    expect(dialog.get_by_text("Undone. 1 object is as it was.")).to_be_hidden()
    dialog.get_by_role("link", name="www-data", exact=True).click()
    expect(dialog.get_by_text("Effective rights of www-data")).to_be_visible()
    expect(answers.nth(1)).to_contain_text("Yes")
    dialog.get_by_label("Deny Read and execute").check()
    dialog.get_by_label("Allow Read and execute").uncheck()
    dialog.get_by_label("Allow Read", exact=True).uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(answers.nth(1)).to_contain_text("No")
    dialog.get_by_role("button", name="Take the own rule back").click()
    expect(answers.nth(1)).to_contain_text("Yes")
    assert 'SubPath="example.test\\httpdocs\\blog"' not in (root / ".security").read_text()


def test_files_work_without_a_script(open_page: Open, site: Site, root: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("plain")
    page = open_page("alice", script=False)
    page.goto(f"/files/{site.pk}/?path=httpdocs")
    page.get_by_text("Upload files").click()
    page.get_by_label("Files", exact=True).set_input_files([tmp_path / "note.txt"])
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("1 file was uploaded.")).to_be_visible()
    page.get_by_label("Select note.txt").check()
    page.get_by_role("button", name="Pack").click()
    expect(page.get_by_text("note.txt.zip was made.")).to_be_visible()
    page.get_by_role("link", name="Permissions of note.txt", exact=True).click()
    page.get_by_role("link", name="www-data", exact=True).click()
    page.get_by_label("Allow Write").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 object has other rights now.")).to_be_visible()
