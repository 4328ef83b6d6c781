"""Descriptors: the names of limits, permissions and hosting properties that this server honours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db.models import Model

from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.selection import Selected, head
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting import catalogue

T = TypeVar("T", bound=Model)
PROVIDERS = ("admin", "reseller")


def answer_descriptors(call: Call, selection: Iterable[Selected[T]], write: Callable[[Writer], None]) -> None:
    """The descriptor of each selected object; of an empty filter once, for the server."""
    if len(call.element[0]) == 0:
        with call.result() as writer:
            _describe(writer, write)
        return
    for selected in selection:
        with call.result(selected.error) as writer:
            head(call, selected)()
            if selected.object is not None:
                _describe(writer, write)


def _describe(writer: Writer, write: Callable[[Writer], None]) -> None:
    with writer.element("descriptor"):
        write(writer)


def describe_limits(writer: Writer) -> None:
    """Limits of a webspace."""
    for name, (type_, label) in catalogue.LIMITS.items():
        with writer.element("property"):
            writer.leaf("name", name)
            writer.leaf("type", type_)
            writer.leaf("default-value", catalogue.UNLIMITED)
            for who in PROVIDERS:
                writer.leaf("writable-by", who)
            writer.leaf("label", label)
            _levels(writer, "domain")


def describe_permissions(writer: Writer) -> None:
    """Permissions of a webspace's owner."""
    for name, (default, label) in catalogue.PERMISSIONS.items():
        with writer.element("property"):
            writer.leaf("name", name)
            writer.leaf("type", "boolean")
            writer.leaf("default-value", default)
            for who in PROVIDERS:
                writer.leaf("writable-by", who)
            writer.leaf("label", label)
            _levels(writer, "domain")


def describe_properties(writer: Writer, *, webspace: bool) -> None:
    """Virtual-hosting properties of a webspace, or of a site in one."""
    for name, rule in catalogue.PROPERTIES.items():
        if rule.webspace_only and not webspace:
            continue
        with writer.element("property"):
            writer.leaf("name", name)
            writer.leaf("type", rule.type)
            for value in rule.choices:
                with writer.element("enum"):
                    writer.leaf("value", value)
            if rule.type != "password":
                writer.leaf("default-value", rule.default)
            for who in (*PROVIDERS, "client"):
                writer.leaf("writable-by", who)
            writer.leaf("label", rule.label)
            _levels(writer, *(("domain",) if rule.webspace_only else ("domain", "subdomain")))


def _levels(writer: Writer, *levels: str) -> None:
    with writer.element("extension"):
        for level in levels:
            writer.leaf("level", level)
