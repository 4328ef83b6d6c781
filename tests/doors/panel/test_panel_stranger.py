"""To a stranger, every page about somebody else's object answers byte for byte like one about nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.events.models import EventHandler
from innkeeper.hosting.models import Site
from innkeeper.mail.models import MailAccount
from tests.people import make_mailbox, make_site

LogIn = Callable[..., Client]
NEVER = 987_654_321
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
PAGES = sorted(
    str(pattern.pattern)
    for pattern in get_resolver("innkeeper.doors.panel.urls").url_patterns
    if isinstance(pattern, URLPattern) and "<int:number>" in str(pattern.pattern)
)
# What the forms of some pages need before they come to the object.
FORM = {"name": "x", "new_name": "x", "action": "remove", "do": "remove", "path": "", "size": "1", "upload": "0" * 32}


def told(client: Client, method: str, page: str, object_id: int) -> tuple[int, str]:
    """Status and content, without the number that was asked for and without the form's token."""
    path = "/" + page.replace("<int:number>", str(object_id)).replace("<slug:field>", "name")
    response = client.get(path) if method == "get" else client.post(path, FORM)
    return response.status_code, TOKEN.sub("", response.content.decode()).replace(path, "HOLE")


def test_a_foreign_object_answers_like_one_that_never_was(
    charlie: Account, site: Site, bob: MailAccount, log_in: LogIn
) -> None:
    assert {"mail/<int:number>/", "files/<int:number>/", "events/<int:number>/"} <= set(PAGES)
    make_mailbox(make_site(charlie, "charlie.test"), "carl")
    foreign = {"mail/sites": site.pk, "mail": bob.pk, "files": site.pk, "events": make_handler()}
    for client in (log_in("charlie"), log_in("bob@example.test")):
        for page in PAGES:
            for method in ("get", "post"):
                number = next(foreign[start] for start in foreign if page.startswith(start))
                answer = told(client, method, page, number)
                assert answer == told(client, method, page, NEVER), page
                assert answer[0] in (302, 403, 404, 405), page
    bob.refresh_from_db()
    assert bob.mailbox_enabled


def make_handler() -> int:
    """An administrator's handler."""
    now = timezone.now()
    made = EventHandler.objects.create(
        event="client_create", user="nobody", command="/bin/true", timeout_s=1, memory_mb=1, output_kb=1, open_files=1,
        created_at=now, updated_at=now,
    )  # fmt: skip
    return int(made.pk)
