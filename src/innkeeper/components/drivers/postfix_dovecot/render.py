"""All configuration of Postfix and Dovecot, as a pure function of the layout."""

from __future__ import annotations

from innkeeper.components.drivers.postfix_dovecot import dovecot, postfix
from innkeeper.components.drivers.postfix_dovecot.layout import File, Layout


def render(layout: Layout) -> list[File]:
    """Every file of both products. Nothing in them changes when an account does."""
    return [*postfix.files(layout), *dovecot.files(layout)]
