"""Writes `docs/events.md` from the catalogue: `python -m innkeeper.events.reference > docs/events.md`."""

from __future__ import annotations

import sys

from innkeeper.core.events import EventType, Parameter
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.groups import catalogue_groups
from innkeeper.events.samples import sample_value

_HEAD = """\
# Control-panel events

An event is an operation on an object of the panel that succeeded, whoever asked for it and through whichever door.
This page lists all {count}, with every parameter; it is written from the declarations that the operations use.
[event-handlers.md](event-handlers.md) explains how to run something when an event happens.

* Each parameter has two values: `old_NAME` from before the operation and `new_NAME` from after it. In a command
  they are `<old_NAME>` and `<new_NAME>`, in the environment of a command `OLD_NAME` and `NEW_NAME` in capitals.
* When something is created, all old values are empty; when something is removed, all new ones. A change gives both,
  whether a value changed or not.
* **Always** marks parameters that are never empty on a side that the event has.
* **Secret** marks passwords. They never stand in a command, and only reach handlers that are marked for them.
* Names are Plesk's. Where its list prints a name of another limit, the right name and the printed one both work.
* Values are text: `true` and `false`; sizes in bytes, `-1` for unlimited; dates as `2031-12-31`; times of idleness in
  minutes. A status is the protocol's sum of flags, `0` for active.
* `domain_limit_size_reached` follows the count of what mail accounts use, files for automatic replies included, that is
  made every five minutes: once for a limit, and again when use fell below it meanwhile or the limit was changed.
* Support of FrontPage, ColdFusion and ASP is always `false`: Debian has none of them.
"""

_KINDS = {"create": "create: old values are empty", "delete": "remove: new values are empty", "change": "change"}


def page() -> str:
    """The page, in Markdown."""
    parts = [_HEAD.format(count=len(EVENTS))]
    parts.append("## All events\n")
    parts.append("| event | happens when | raised |\n| --- | --- | --- |")
    for group in catalogue_groups():
        for event in group.events:
            raised = "yes" if event.is_raised else "not yet"
            parts.append(f"| [`{event.name}`](#{_anchor(group.title)}) | {event.description} | {raised} |")
    parts.append(
        "\n*Not yet* marks events of operations that Innkeeper does not have so far. A handler for one can be saved; it"
        "\nruns from the version on that has the operation.\n"
    )
    for group in catalogue_groups():
        parts.append(f"## {group.title}\n")
        tables: dict[tuple[Parameter, ...], list[EventType]] = {}
        for event in group.events:
            tables.setdefault(event.parameters, []).append(event)
        for parameters, events in tables.items():
            for event in events:
                also = f" (also `{'`, `'.join(event.synonyms)}`)" if event.synonyms else ""
                parts.append(f"* `{event.name}`{also}: {event.description}. {_KINDS[event.kind].capitalize()}.")
            parts.append("\n| parameter | meaning | for example | |\n| --- | --- | --- | --- |")
            parts += [_row(parameter) for parameter in parameters]
            parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _row(parameter: Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in (parameter.name, *parameter.synonyms))
    marks = ", ".join(["always"] * (parameter.required and not parameter.secret) + ["secret"] * parameter.secret)
    value = sample_value(parameter)
    return f"| {names} | {parameter.label} | {f'`{value}`' if value else ''} | {marks} |"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(page())
