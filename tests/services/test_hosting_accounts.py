"""Folders and system users of hosting accounts on a real instance: made by packets, used by processes, removed."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from itertools import count
from pathlib import Path

from services.mail_clients import wait_for
from services.private import PASSWORD, PrivateInstance, xml

_numbers = count(1)


def hosted(name: str, login: str) -> str:
    """The operation that creates a webspace with web hosting."""
    properties = "".join(
        f"<property>{xml('name', key)}{xml('value', value)}</property>"
        for key, value in (("ftp_login", login), ("ftp_password", PASSWORD))
    )
    setup = f"<gen_setup>{xml('name', name)}<htype>vrt_hst</htype></gen_setup>"
    return f"<add>{setup}<hosting><vrt_hst>{properties}</vrt_hst></hosting></add>"


def webspace(instance: PrivateInstance) -> tuple[int, str, str]:
    """A new webspace with web hosting: its id, name and log-in."""
    number = next(_numbers)
    name, login = f"hosted{number}.example", f"hosted{number}"
    result = instance.panel.result(f"<webspace>{hosted(name, login)}</webspace>")
    return int(result.findtext("id") or 0), name, login


def users(instance: PrivateInstance) -> set[str]:
    """The keys of the system users of the instance's hosting accounts."""
    prefix = f"innkeeper-{instance.description['tag']}-"
    names = (user.pw_name for user in pwd.getpwall() if user.pw_uid >= instance.description["first_id"])
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def user_number(instance: PrivateInstance, key: str) -> int:
    """The number of a key's system user."""
    return pwd.getpwnam(f"innkeeper-{instance.description['tag']}-{key}").pw_uid


def writes(instance: PrivateInstance, key: str, path: Path) -> bool:
    """Whether a process of a system user can make a file."""
    user = pwd.getpwnam(f"innkeeper-{instance.description['tag']}-{key}")
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    done = subprocess.run(
        ["/usr/bin/touch", str(path)], user=user.pw_uid, group=user.pw_gid, extra_groups=groups, check=False,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode == 0


def test_a_packet_makes_users_and_folders_and_removal_takes_them_away(instance: PrivateInstance) -> None:
    pk, name, login = webspace(instance)
    other, other_name, _ = webspace(instance)
    web_user = int(
        instance.panel.results(
            f"<webuser><add>{xml('site-id', pk)}{xml('login', f'{login}-petr')}</add></webuser>", "1.6.9.0"
        )[0].findtext("id")
        or 0
    )
    subdomain, ftp = (
        int(result.findtext("id") or 0)
        for result in instance.panel.results(
            f"<subdomain><add>{xml('parent', name)}<name>shop</name></add></subdomain><ftp-user><add>"
            f"{xml('name', f'{login}-team')}{xml('password', PASSWORD)}<home>/httpdocs/a/b</home>"
            f"<create-non-existent>true</create-non-existent>{xml('webspace-id', pk)}</add></ftp-user>"
        )
    )
    vhosts = instance.state / "vhosts"
    root = vhosts / name
    petr = root / "web_users" / f"{login}-petr"
    shop = root / "subdomains" / "shop"
    rules = [root / ".security", root / f".Web.{login}-petr.security", shop / ".security", vhosts / other_name]
    wait_for("trees and rules are there", lambda: all(path.exists() for path in rules))
    wanted = {f"s{pk}", f"s{pk}-web", f"u{web_user}", f"f{ftp}"}
    wait_for("the users are there", lambda: wanted <= users(instance))

    main = f"s{pk}"
    wait_for("the owner has his rights", lambda: writes(instance, main, root / "httpdocs" / "index.html"))
    wait_for("so has the web user", lambda: writes(instance, f"u{web_user}", petr / "index.html"))
    wait_for("and the owner in the subdomain", lambda: writes(instance, main, shop / "httpdocs" / "index.html"))
    wait_for("the home of the FTP account is there", (root / "httpdocs" / "a" / "b").is_dir)
    assert not writes(instance, main, root / "new")
    assert not writes(instance, main, vhosts / other_name / "httpdocs" / "x")
    assert not writes(instance, f"s{other}", root / "httpdocs" / "x")
    assert not writes(instance, f"s{pk}-web", root / "httpdocs" / "x")
    assert not writes(instance, f"u{web_user}", root / "httpdocs" / "x")

    values = f"<values><gen_setup>{xml('name', f'new-{name}')}</gen_setup></values>"
    instance.panel.result(f"<webspace><set><filter>{xml('id', pk)}</filter>{values}</set></webspace>")
    moved = vhosts / f"new-{name}"
    page = moved / "subdomains" / "shop" / "httpdocs" / "index.html"
    wait_for("the folder has the new name", page.exists)
    assert not root.exists()
    wait_for("and the same owner", lambda: writes(instance, main, moved / "httpdocs" / "more.html"))

    instance.panel.result(f"<webspace><del><filter>{xml('id', pk)}</filter></del></webspace>")
    wait_for("folder and users are gone", lambda: not moved.exists() and not wanted & users(instance))
    assert subdomain
    (grave,) = (vhosts / ".graves").glob(f"s{pk}-*[0-9]")
    assert (grave / "httpdocs" / "index.html").exists()
    assert not instance.sql(f"SELECT 1 FROM hosting_placedtree WHERE webspace_id = {pk}")

    again = int(instance.panel.result(f"<webspace>{hosted(moved.name, login)}</webspace>").findtext("id") or 0)
    wait_for("the name has a tree again", (moved / ".security").exists)
    page = moved / "httpdocs" / "index.html"
    assert not page.exists()
    web_user_again = f"<webuser><add>{xml('site-id', again)}{xml('login', petr.name)}</add></webuser>"
    web_user = int(instance.panel.results(web_user_again, "1.6.9.0")[0].findtext("id") or 0)
    listed = instance.command("site", "removed", "--json")
    assert grave.name in listed.stdout
    told = instance.command("site", "restore", moved.name).stdout
    assert f"with them those of {moved.name}/web_users/{petr.name}\n" in told
    assert f"not those of {moved.name}/subdomains/shop, which has no account now" in told
    wait_for("the files are back", page.exists)
    own = moved / "web_users" / petr.name / "index.html"
    wait_for("so are the web user's", own.exists)
    wait_for("which are his again", lambda: own.stat().st_uid == user_number(instance, f"u{web_user}"))
    wait_for("and are those of the new account", lambda: page.stat().st_uid == user_number(instance, f"s{again}"))
    wait_for("who has the rights of a new file", lambda: writes(instance, f"s{again}", page))
    assert not writes(instance, f"s{again}-web", page)


def test_what_is_killed_half_way_comes_to_its_end(instance: PrivateInstance) -> None:
    made = [(f"many{next(_numbers)}.example", f"many{number}") for number in range(30)]
    operations = "".join(hosted(name, login) for name, login in made)
    instance.panel.results(f"<webspace>{operations}</webspace>")
    vhosts = instance.state / "vhosts"
    wait_for("the first are made", lambda: any((vhosts / name).exists() for name, _ in made))
    for word in ("innkeeper.hostd", "innkeeper.jobs.worker"):
        for pid in instance.pids_of(word):
            os.kill(pid, signal.SIGKILL)
    wait_for("all are made", lambda: all((vhosts / name / ".security").exists() for name, _ in made), 40)
    names = "".join(xml("name", name) for name, _ in made)
    instance.panel.results(f"<webspace><del><filter>{names}</filter></del></webspace>")
    wait_for("the first are gone", lambda: not all((vhosts / name).exists() for name, _ in made))
    for pid in instance.pids_of("innkeeper.jobs.worker"):
        os.kill(pid, signal.SIGKILL)
    wait_for("all are gone", lambda: not any((vhosts / name).exists() for name, _ in made), 40)
    wait_for("the machine is as the rows say", lambda: users(instance) == asked_for(instance), 40)


def asked_for(instance: PrivateInstance) -> set[str]:
    """The keys of the system users that the rows ask for."""
    return {key for (key,) in instance.sql("SELECT key FROM hosting_placeduser")}
