"""The example of the administrator's guide, by the panel in a browser: a handler that writes new clients to a log."""

from __future__ import annotations

import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.mail_clients import wait_for
from services.private import PrivateInstance, Site
from tests.chromium import CHROMIUM

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs the Debian package chromium"),
]
SCRIPT = """\
#!/bin/sh
cd "${0%/*}"
echo "--------------" >> event_handler.log
# information on the event date and time
date >> event_handler.log
# information on the created client account
echo "client created" >> event_handler.log
# client's name
echo "name: $1" >> event_handler.log
# client's login
echo "login: $2" >> event_handler.log
echo "--------------" >> event_handler.log
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which everybody may make files. Its name has a space, so that paths in it are quoted."""
    made = Path(tempfile.mkdtemp(prefix="inn-event handlers-", dir="/var/tmp"))
    made.chmod(0o1777)
    (made / "test-handler.sh").write_text(SCRIPT)
    (made / "test-handler.sh").chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_a_handler_made_in_the_panel_writes_each_new_client_to_its_log(
    instance: PrivateInstance, page: Page, folder: Path
) -> None:
    page.get_by_role("link", name="Handlers").click()
    page.get_by_role("link", name="New event handler").first.click()
    page.get_by_label("Search by event, object or parameter").fill("client account created")
    expect(page.locator("#announcer")).to_have_text("1 event")
    page.get_by_role("link", name="Client account created").click()
    page.get_by_label("Normal (50)").check()
    users = page.get_by_label("System user")
    user = next(name for name in users.locator("option").all_inner_texts() if name.endswith("-events"))
    users.select_option(user)
    page.get_by_label("Command", exact=True).fill(f'"{folder}/test-handler.sh"')
    expect(page.get_by_text("The script uses $1").first).to_be_visible()
    page.get_by_role("button", name="<new_contact_name>").click()
    page.get_by_role("button", name="<new_login_name>").click()
    expect(page.locator(".preview li")).to_have_count(3)
    expect(page.locator("#command_result .warning")).to_have_count(0)
    page.get_by_role("button", name="Create handler").click()
    expect(page.get_by_text("The handler was created: Client account created.")).to_be_visible()
    handler = page.get_by_role("row").filter(has_text=str(folder))
    expect(handler).to_contain_text(user)

    login = Site.fresh_name("ines").partition(".")[0]
    instance.customer(login)
    log = folder / "event_handler.log"
    written = wait_for("the handler has run", lambda: log.exists() and (t := log.read_text()).count("--\n") == 2 and t)
    sys.stdout.write(f"{log}:\n{written}")
    assert written.splitlines()[2:5] == ["client created", f"name: Customer {login}", f"login: {login}"]
    assert log.stat().st_uid == pwd.getpwnam(user).pw_uid

    page.get_by_role("link", name="Delivery log").first.click()
    page.get_by_role("link", name="Client account created").first.click()
    expect(page.get_by_text("Exit status 0")).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_text("1 event is on its way again.")).to_be_visible()
    wait_for("the handler has run again", lambda: log.read_text().count(f"login: {login}\n") == 2)

    page.get_by_role("link", name="Handlers").click()
    expect(handler).to_contain_text("100% of")
    handler.get_by_role("checkbox").check()
    page.get_by_role("button", name="Remove selected").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("1 handler was removed.")).to_be_visible()
