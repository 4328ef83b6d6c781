"""The file manager of a running instance: the tree that `up` and hostd made, its own system users, the real panel."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.mail_clients import wait_for
from services.private import PASSWORD, PrivateInstance, Site, xml
from tests.chromium import CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs the Debian package chromium"),
]


def test_a_site_is_filled_and_its_rights_are_set_in_the_panel(
    instance: PrivateInstance, page: Page, tmp_path: Path
) -> None:
    name = Site.fresh_name("files")
    settings = {"ftp_login": name.partition(".")[0][:16], "ftp_password": PASSWORD}
    properties = "".join(f"<property>{xml('name', key)}{xml('value', to)}</property>" for key, to in settings.items())
    result = instance.panel.result(
        f"<webspace><add><gen_setup>{xml('name', name)}{xml('htype', 'vrt_hst')}</gen_setup>"
        f"<hosting><vrt_hst>{properties}</vrt_hst></hosting></add></webspace>"
    )
    number = result.findtext("id")
    root = instance.state / "vhosts" / name
    wait_for(
        "the site has its rules", lambda: (root / ".security").exists() and bool(os.listxattr(root / ".trash")), 30
    )
    owner = f"innkeeper-{instance.description['tag']}-s{number}"

    film = os.urandom(5 * 1024 * 1024)
    (tmp_path / "film.mp4").write_bytes(film)
    page.goto(f"/files/{number}/?path=httpdocs")
    page.get_by_text("Upload files", exact=True).click()
    page.get_by_label("Files", exact=True).set_input_files(tmp_path / "film.mp4")
    with page.expect_navigation():
        page.get_by_role("button", name="Upload", exact=True).click()
    assert (root / "httpdocs/film.mp4").read_bytes() == film
    assert pwd.getpwuid((root / "httpdocs/film.mp4").stat().st_uid).pw_name == owner
    with page.expect_download() as download:
        page.get_by_role("link", name="film.mp4", exact=True).click()
    assert Path(download.value.path()).read_bytes() == film

    page.get_by_role("link", name="Permissions of film.mp4").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name=f"{owner}-web").click()
    expect(dialog.get_by_text(f"Effective rights of {owner}-web")).to_be_visible()
    answers = dialog.get_by_role("table", name="Effective rights").get_by_role("row")
    expect(answers.nth(1)).to_contain_text("Yes")  # asked of the system itself, as that user
    for box in dialog.get_by_label("Allow ").all():
        box.uncheck()
    dialog.get_by_label("Deny Read", exact=True).check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("1 object has other rights now.")).to_be_visible()
    expect(answers.nth(1)).to_contain_text("No")
    dialog.get_by_role("button", name="Undo").click()  # done by the worker, as setting it was
    expect(dialog.get_by_text("Undone. 1 object is as it was.")).to_be_visible()
    dialog.get_by_role("link", name="Permissions").click()
    expect(dialog.get_by_text("Undone. 1 object is as it was.")).to_be_hidden()
    dialog.get_by_role("link", name=f"{owner}-web").click()
    expect(dialog.get_by_text(f"Effective rights of {owner}-web")).to_be_visible()
    expect(answers.nth(1)).to_contain_text("Yes")
    page.keyboard.press("Escape")

    page.get_by_label("Select film.mp4", exact=True).check()
    page.get_by_role("button", name="Pack").click()
    expect(page.get_by_text("film.mp4.zip was made.", exact=True)).to_be_visible()
    page.goto(f"/files/{number}/unpack/?path=httpdocs/film.mp4.zip")
    page.get_by_label("Name of the new folder").fill("new")
    page.get_by_role("button", name="Unpack").click()
    expect(page.get_by_text("new was made, with 1 object.", exact=True)).to_be_visible()
    assert (root / "httpdocs/new/film.mp4").read_bytes() == film

    page.get_by_label("Select film.mp4", exact=True).check()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("1 object went to the trash.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("httpdocs/film.mp4 is back.")).to_be_visible()
    assert (root / "httpdocs/film.mp4").read_bytes() == film
