"""Mail accounts as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse
from django.views.decorators.http import require_safe

from innkeeper.doors.panel.views.mail_list import read_request
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.mail import listing
from innkeeper.mail.listing import ListedAccount


class _Echo:
    """What csv writes into: hands each line back to be streamed."""

    def write(self, line: str) -> str:
        return line


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def csv_file(rows: Iterable[ListedAccount]) -> StreamingHttpResponse:
    """The rows as an answer that is written while they are read."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff"
        yield writer.writerow(["id", "address", "state", "mailbox", "quota_bytes", "used_bytes", "last_login"])
        for row in rows:
            yield writer.writerow(
                [
                    row.id,
                    _safe(row.address),
                    row.state.value,
                    "on" if row.mailbox_enabled else "off",
                    row.quota,
                    row.used_bytes,
                    row.last_login_at.isoformat(timespec="seconds") if row.last_login_at else "",
                ]
            )

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="mail-accounts.csv"'
    return response


@require_safe
@for_owners
def export(request: PanelRequest) -> StreamingHttpResponse:
    """The whole list, with its filters and in its order, as CSV."""
    return csv_file(listing.every(request.actor, read_request(request.GET)))
