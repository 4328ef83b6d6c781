"""What a mail user does on the panel's own pages, and what it may: the real panel, with the mail daemons behind it."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

from services.packets import unverified
from services.private import PASSWORD, Account, Site, xml

NEW_PASSWORD = "Fresh9!paint-Roof"


class Browser:
    """Somebody's browser: it keeps cookies, follows redirects, and sends forms with their token."""

    def __init__(self, site: Site) -> None:
        self._root = f"https://127.0.0.1:{site.instance.ports['panel']}"
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.HTTPSHandler(context=unverified())
        )
        self._page = ""

    def get(self, path: str) -> str:
        """The address at which the redirects of a page end."""
        return self._open(urllib.request.Request(self._root + path))

    def send(self, path: str, **fields: str) -> str:
        """Fill in the form of a page and send it."""
        assert self.get(path) == path, self._page
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self._page)
        assert token, path
        data = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": token[1]}).encode()
        return self._open(urllib.request.Request(self._root + path, data, {"Referer": self._root + path}))

    def shows(self, text: str) -> bool:
        """Whether the page that was opened last holds a text."""
        return text in self._page

    def logs_in(self, account: Account, password: str = PASSWORD) -> bool:
        return self.send("/login/", login=account.address, password=password) == "/own/"

    def _open(self, request: urllib.request.Request) -> str:
        try:
            with self._opener.open(request, timeout=30) as answer:
                self._page = answer.read().decode()
                return urllib.parse.urlsplit(answer.url).path
        except urllib.error.HTTPError as error:
            with error:
                self._page = error.read().decode()
            return f"{error.code}"


def test_access_to_the_panel_binds_at_once(site: Site) -> None:
    alice = site.account("alice")
    assert not Browser(site).logs_in(alice)
    site.update("alice", xml("cp-access", "true"))
    browser = Browser(site)
    assert browser.logs_in(alice)
    assert browser.get("/mail/") == "403", "the pages of owners"
    site.update("alice", xml("cp-access", "false"))
    assert browser.get("/own/") == "/login/"
    assert not Browser(site).logs_in(alice)
    assert alice.logs_in(), "to the mailbox as before"


def test_what_a_mail_user_sets_acts_in_the_daemons(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    site.update("alice", xml("cp-access", "true"))
    browser = Browser(site)
    assert browser.logs_in(alice)
    assert browser.send("/own/forwarding/", redirect_enabled="on", redirect=charlie.address) == "/own/"
    site.instance.send("someone@peer.invalid", alice.address, "To both")
    assert alice.subjects() == charlie.subjects() == ["To both"]
    assert browser.send("/own/password/", current=PASSWORD, password=NEW_PASSWORD) == "/own/"
    assert alice.logs_in(NEW_PASSWORD)
    assert not alice.logs_in(PASSWORD)


def test_the_permission_of_a_mail_user_binds_its_page_and_its_change(site: Site) -> None:
    name = xml("name", "alice") + "<mailbox><enabled>true</enabled></mailbox>"
    access = "<cp_access><enabled>true</enabled></cp_access>"
    permission = "<permissions><manage_drweb>true</manage_drweb></permissions>"
    site.old_create(f"{name}{access}{permission}{xml('password', PASSWORD)}{xml('password_type', 'plain')}")
    browser = Browser(site)
    assert browser.logs_in(Account(site, "alice"))
    assert browser.shows("/own/viruses/")
    assert browser.send("/own/viruses/", antivir="in") == "/own/"
    site.old_update("alice", permission.replace("true", "false"))
    browser.get("/own/")
    assert not browser.shows("/own/viruses/")
    assert browser.get("/own/viruses/") == "403"
