"""The list page of mail accounts: time to the first byte, with 100,000 accounts on 1,000 sites."""

from __future__ import annotations

import http.client
import re
import ssl
import statistics
import subprocess
import sys
import time
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from benchmarks.create import PRODUCT
from benchmarks.harness import ROUNDS, database, environment, prepare, scratch, serving

ACCOUNTS = 100_000
READS = 20
BUDGET_MS = 200
PASSWORD = "Kx4!paper-Moon"
PREPARE = f"""
import django; django.setup()
from django.db import connection, transaction
from benchmarks.population import populate
from innkeeper.accounts.models import Account
from innkeeper.core.passwords import hash_login
Account.objects.filter(pk=1).update(password=hash_login({PASSWORD!r}))
with transaction.atomic(), connection.cursor() as cursor:
    populate(cursor, connection.vendor, sites=1000, accounts={ACCOUNTS}, password="{{BLF-CRYPT}}none")
"""
PAGES = {
    "by name": "/mail/",
    "by used space": "/mail/?sort=-used",
    "by last log-in": "/mail/?sort=-login",
    "search, many": "/mail/?q=u99",
    "search, one": "/mail/?q=u77777",
    "search, none": "/mail/?q=nobody",
    "filter": "/mail/?show=suspended",
}


class Browser:
    """One keep-alive connection with cookies."""

    def __init__(self, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.origin = f"https://127.0.0.1:{port}"
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
        self.cookies: dict[str, str] = {}

    def get(self, path: str, form: dict[str, str] | None = None) -> tuple[float, int, str]:
        """Seconds to the first byte, status and page."""
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "Origin": self.origin}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        start = time.perf_counter()
        self.connection.request("GET" if form is None else "POST", path, form and urlencode(form), headers)
        response = self.connection.getresponse()
        first_byte = time.perf_counter() - start
        page = response.read().decode()
        for header in response.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        return first_byte, response.status, page

    def log_in(self) -> None:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/login/")[2])
        assert token
        form = {"login": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        status = self.get("/login/", form)[1]
        if status != 302:
            raise RuntimeError(f"the log-in answered {status}")


def deep(browser: Browser, pages: int) -> str:
    """The address of a page far into the list."""
    path = "/mail/?sort=-used"
    for _ in range(pages):
        link = re.search(r'rel="next" href="([^"]+)"', browser.get(path)[2])
        assert link
        path = link[1].replace("&amp;", "&")
    return path


def main(engine: str) -> None:
    with scratch() as folder, database(engine, folder) as name:
        prepare(name, folder)
        subprocess.run([sys.executable, "-c", PREPARE], env=environment(name, folder), check=True, cwd=folder)
        with serving(PRODUCT, name, folder) as (port, _):
            browser = Browser(port)
            browser.log_in()
            for label, path in (PAGES | {"page 50": deep(browser, 50)}).items():
                times, size = [], 0
                for _ in range(ROUNDS * READS):
                    first_byte, status, page = browser.get(path)
                    if status != 200:
                        raise RuntimeError(f"{path} answered {status}")
                    times.append(first_byte * 1000)
                    size = len(page)
                p95 = sorted(times)[int(len(times) * 0.95)]
                print(
                    f"{label}: median {statistics.median(times):.0f} ms, p95 {p95:.0f} ms (target < {BUDGET_MS}),"
                    f" {size / 1000:.0f} kB (target < 150)",
                    flush=True,
                )
