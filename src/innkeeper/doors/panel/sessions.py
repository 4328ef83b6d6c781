"""Where panel sessions are kept."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.utils import timezone

log = logging.getLogger(__name__)


def _stored(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's sessions in the database, found by a digest of their key.

    The mail daemons' group can read the embedded database, so what stands there must not be what a browser sends.
    """

    def _get_session_from_db(self) -> Session | None:
        row = Session.objects.filter(
            session_key=_stored(self.session_key or ""), expire_date__gt=timezone.now()
        ).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=_stored(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = super().create_model_instance(data)
        return Session(_stored(row.session_key), row.session_data, row.expire_date)

    def save(self, must_create: bool = False) -> None:
        try:
            super().save(must_create)
        except UpdateError:
            # It ended while its request ran, and stays ended; or the database cannot be written now, and then the
            # page that was only read is still worth showing.
            log.warning("A session could not be kept.")

    def save_or_raise(self) -> None:
        """Save where whoever asked must hear that it could not be done. Raises UpdateError."""
        super().save()

    def take(self) -> bool:
        """End the session; False if somebody else did in the meantime."""
        return bool(Session.objects.filter(session_key=_stored(self.session_key or "")).delete()[0])

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(session_key=_stored(key)).delete()
