"""`bin subdomain`, `bin webuser` and `bin ftpsubaccount` (`ftpuser`)."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli.parser import UsageError
from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb, password
from innkeeper.doors.cli.values import one_of, size, switch

SCRIPTS = ("ssi", "php", "cgi", "perl", "python", "fastcgi")
ELSEWHERE = ("asp", "coldfusion")
PASSWORD = Option(str, "password; - reads standard input, '' takes PSA_PASSWORD")
WRITE_MODIFY = "write_modify"


def _switches(line: Line) -> dict[str, str]:
    names = (*SCRIPTS, *ELSEWHERE, WRITE_MODIFY)
    return {name: "true" if line.options[name] else "false" for name in names if name in line.options}


def _script_options() -> dict[str, Option]:
    return {
        **{name: Option(switch, f"{name} support: true or false") for name in SCRIPTS},
        **{name: Option(switch, "not on this system: false alone") for name in ELSEWHERE},
        WRITE_MODIFY: Option(switch, "additional write and modify permissions: true or false"),
    }


# ---- subdomains


def _subdomain(line: Line) -> dict[str, Any]:
    return {"name": line.objects[0], "domain": line.options.get("domain")}


def create_subdomain(line: Line) -> int:
    """`--create LABEL -domain DOMAIN`"""
    line.required("domain")
    arguments = _subdomain(line) | {"properties": _switches(line)}
    if line.options.get("user_type") == "native":
        line.required("login", "passwd")
    elif "login" in line.options or "passwd" in line.options:
        raise UsageError("-login, -passwd: they belong to a user of the subdomain's own. Add -user_type native.")
    if secret := password(line):
        arguments |= {"login": line.options["login"], "password": secret["value"]}
        arguments["quota"] = line.options.get("hard_quota")
    return line.change("subdomain.create", arguments, f"Creation of subdomain '{line.objects[0]}' complete")


def update_subdomain(line: Line) -> int:
    """`--update LABEL -domain DOMAIN`"""
    line.required("domain")
    for name in ("user_type", "login", "passwd", "hard_quota"):
        if name in line.options:
            raise UsageError(f"-{name}: it cannot be changed. Remove the subdomain and create it again.")
    arguments = _subdomain(line) | {"properties": _switches(line)}
    return line.change("subdomain.update", arguments, f"Update of subdomain '{line.objects[0]}' complete")


def remove_subdomain(line: Line) -> int:
    """`--remove LABEL -domain DOMAIN`"""
    line.only("domain")
    return line.change("subdomain.remove", _subdomain(line), f"Removal of subdomain '{line.objects[0]}' complete")


# ---- web users


def _web_user(line: Line) -> dict[str, Any]:
    arguments: dict[str, Any] = {"login": line.objects[0], "services": _switches(line)}
    if (secret := password(line)) is not None:
        arguments |= {"password": secret["value"], "crypt": secret["kind"] == "crypt"}
    if "quota" in line.options:
        arguments["quota"] = line.options["quota"]
    return arguments


def create_web_user(line: Line) -> int:
    """`--create LOGIN -domain DOMAIN -passwd PASSWORD`"""
    line.required("domain", "passwd")
    arguments = _web_user(line) | {"domain": line.options["domain"]}
    return line.change("webuser.create", arguments, f"Creation of web user '{line.objects[0]}' complete")


def update_web_user(line: Line) -> int:
    """`--update LOGIN`"""
    return line.change("webuser.update", _web_user(line), f"Update of web user '{line.objects[0]}' complete")


def remove_web_user(line: Line) -> int:
    """`--remove LOGIN`"""
    line.no_options()
    arguments = {"login": line.objects[0]}
    return line.change("webuser.remove", arguments, f"Removal of web user '{line.objects[0]}' complete")


# ---- FTP accounts


def _ftp_account(line: Line) -> dict[str, Any]:
    given: dict[str, Any] = {
        name: line.options[name] for name in ("home", "quota", "read", "write") if name in line.options
    }
    secret = password(line)
    return {"name": line.objects[0], "password": secret["value"] if secret else None, **given}


def create_ftp_account(line: Line) -> int:
    """`--create NAME -domain DOMAIN -passwd PASSWORD`"""
    line.required("domain", "passwd")
    arguments = _ftp_account(line) | {"webspace": line.options["domain"]}
    return line.change("ftp-account.create", arguments, f"Creation of FTP account '{line.objects[0]}' complete")


def update_ftp_account(line: Line) -> int:
    """`--update NAME`"""
    return line.change("ftp-account.update", _ftp_account(line), f"Update of FTP account '{line.objects[0]}' complete")


def remove_ftp_account(line: Line) -> int:
    """`--remove NAME`"""
    line.no_options()
    arguments = {"name": line.objects[0]}
    return line.change("ftp-account.remove", arguments, f"Removal of FTP account '{line.objects[0]}' complete")


def _ftp(name: str) -> Utility:
    return Utility(
        name,
        {
            "create": Verb("c", ("NAME",), "create an additional FTP account", create_ftp_account),
            "update": Verb("u", ("NAME",), "change it", update_ftp_account),
            "remove": Verb("r", ("NAME",), "remove it", remove_ftp_account),
            "info": Verb(
                "i", ("NAME",), "show it", lambda line: line.show("ftp-account.info", {"name": line.objects[0]})
            ),
            "list": Verb("l", (), "list all", lambda line: line.rows("ftp-account.list", {}, "ftp-accounts", "name")),
        },
        {
            "domain": Option(str, "the domain of the subscription that it belongs to"),
            "home": Option(str, "its folder below the subscription's root"),
            "passwd": PASSWORD,
            "quota": Option(size, "disk quota such as 100M, or -1"),
            "read": Option(switch, "may read: true or false"),
            "write": Option(switch, "may write: true or false"),
        },
    )


UTILITIES = {
    "subdomain": Utility(
        "subdomain",
        {
            "create": Verb("c", ("LABEL",), "create a subdomain with web hosting", create_subdomain),
            "update": Verb("u", ("LABEL",), "change its web hosting", update_subdomain),
            "remove": Verb("r", ("LABEL",), "remove it with everything that belongs to it", remove_subdomain),
            "info": Verb("i", ("LABEL",), "show it", lambda line: line.show("subdomain.info", _subdomain(line))),
            "list": Verb("l", (), "list all", lambda line: line.rows("subdomain.list", {}, "subdomains", "name")),
        },
        {
            "domain": Option(str, "the domain that it lies in"),
            "user_type": Option(
                one_of("main", "native"), "the domain's system user, or one of its own: main or native"
            ),
            "login": Option(str, "log-in name of its own user"),
            "passwd": PASSWORD,
            "hard_quota": Option(size, "disk quota of its own user such as 100M, or -1"),
            **_script_options(),
        },
    ),
    "webuser": Utility(
        "webuser",
        {
            "create": Verb("c", ("LOGIN",), "create a web user", create_web_user),
            "update": Verb("u", ("LOGIN",), "change it", update_web_user),
            "remove": Verb("r", ("LOGIN",), "remove it; its files are kept for some days", remove_web_user),
            "info": Verb(
                "i", ("LOGIN",), "show it", lambda line: line.show("webuser.info", {"login": line.objects[0]})
            ),
            "list": Verb("l", (), "list all", lambda line: line.rows("webuser.list", {}, "webusers", "login")),
        },
        {
            "domain": Option(str, "the domain that it belongs to"),
            "passwd": PASSWORD,
            "passwd_type": Option(one_of("plain", "crypt"), "plain or crypt"),
            "quota": Option(size, "disk quota such as 100M, or -1"),
            **_script_options(),
        },
    ),
    "ftpsubaccount": _ftp("ftpsubaccount"),
    "ftpuser": _ftp("ftpuser"),
}
