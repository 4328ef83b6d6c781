"""`site`: sites (domains) by name or id."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, run_group, value
from innkeeper.doors.cli.values import shown_size, switch

DESCRIPTION = "Sites (domains), by name or id. The main site of a webspace comes and goes with the webspace."


def _new(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--webspace", required=True, metavar="NAME", help="name or id of the webspace that it lies in")
    objects.plan(parser)


def _create(options: Namespace) -> int:
    arguments = {"name": options.name, "webspace": options.webspace}
    return objects.change(options, "site.create", arguments, "created {name} (id {id})")


def _settings(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="name or id of a site or subdomain with web hosting")
    parser.add_argument(
        "--write-modify",
        action=value(switch),
        metavar="BOOL",
        help="additional write and modify permissions: programs of the site may change its content",
    )
    parser.add_argument(
        "--www-root", metavar="PATH", help="document root below the site's folder, such as httpdocs/public"
    )
    objects.plan(parser)


def _hosting(options: Namespace) -> int:
    given = {"write_modify": options.write_modify, "www_root": options.www_root}
    arguments = {"name": options.name} | {name: value for name, value in given.items() if value is not None}
    return objects.change(options, "site.hosting", arguments, "changed {name}")


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        used = shown_size(row["used_bytes"])
        return (
            f"{row['name']:<40} {objects.shown_status(row['status']):<10} {used:>10} {row['webspace'] or ''}".rstrip()
        )

    return objects.show_rows(options, "site.list", {"webspace": options.webspace}, "sites", shown)


def _removed(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        return f"{row['grave']:<32} {row['folder']:<40} removed {row['removed_at']}, kept until {row['kept_until']}"

    return objects.show_rows(options, "site.removed", {}, "removed", shown)


def _kept(parser: Parser) -> None:
    parser.add_argument("days", nargs="?", metavar="DAYS", help="keep them for so many days")
    objects.plan(parser)


def _retention(options: Namespace) -> int:
    arguments = {} if options.days is None else {"days": options.days}
    done = "the files of removed hosting accounts are kept for {days} days"
    return objects.change(options, "site.retention", arguments, done)


COMMANDS = {
    "create": Command("Create a site in a webspace.", _new, _create),
    "hosting": Command("Change settings of a site's web hosting.", _settings, _hosting),
    "list": Command(
        "List the sites of a webspace, or all.",
        lambda parser: parser.add_argument("--webspace", metavar="NAME", help="name or id of a webspace"),
        _list,
    ),
    "removed": Command(
        "List the files of removed sites, subdomains and web users that can come back.", lambda parser: None, _removed
    ),
    "restore": Command(
        "Bring the files of a removed site or subdomain back.",
        objects.restoring("name", "name or id of the site"),
        lambda options: objects.restored(options, "site", "name"),
    ),
    "retention": Command("Show or set for how long the files of removed hosting accounts are kept.", _kept, _retention),
    **objects.life("site", "name", " with its mail"),
}


def main(words: list[str]) -> int:
    """Run `innkeeper site WORDS`."""
    return run_group("site", DESCRIPTION, COMMANDS, words)
