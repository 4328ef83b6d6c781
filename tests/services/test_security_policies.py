"""The two policies of a real instance: what `up` applied, and what a setting of a webspace brings and takes away."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

from services.mail_clients import wait_for
from services.private import PASSWORD, PrivateInstance, xml

_numbers = count(1)


def security(instance: PrivateInstance, *words: str) -> tuple[int, dict[str, Any]]:
    """A command of rules; its exit code and what it said."""
    done = instance.command("security", *words, "--json", check=False)
    assert done.returncode < 2, done.stderr
    return done.returncode, json.loads(done.stdout)


def writes(instance: PrivateInstance, key: str, path: Path) -> bool:
    """Whether a process of a system user can make a file."""
    user = pwd.getpwnam(f"innkeeper-{instance.description['tag']}-{key}")
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    done = subprocess.run(
        ["/usr/bin/touch", str(path)], user=user.pw_uid, group=user.pw_gid, extra_groups=groups, check=False,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode == 0


def test_up_has_applied_the_disk_policy_once_and_it_can_be_undone(instance: PrivateInstance) -> None:
    code, found = security(instance, "disk", "--check")
    assert (code, found["runs"][0]["findings"]) == (0, [])
    applied = json.loads((instance.state / "lib/security/disk-applied.json").read_text())
    code, undone = security(instance, "undo", applied["run"], "--plan")
    assert code == 0
    assert undone["changed"] > 100
    assert "HTTPD_VHOSTS_D" in instance.command("component-paths").stdout
    assert instance.command("bin", "packagemng").stdout == instance.command("component-paths").stdout
    assert instance.command("bin", "applysecurity", "--check", check=False).returncode == 0
    assert instance.command("bin", "applysecurity", "--chekc", check=False).returncode == 2


def test_additional_write_permissions_of_a_webspace(instance: PrivateInstance) -> None:
    number = next(_numbers)
    name = f"rules{number}.example"
    properties = "".join(
        f"<property>{xml('name', key)}{xml('value', value)}</property>"
        for key, value in (("ftp_login", f"rules{number}"), ("ftp_password", PASSWORD))
    )
    result = instance.panel.result(
        f"<webspace><add><gen_setup>{xml('name', name)}<htype>vrt_hst</htype></gen_setup>"
        f"<hosting><vrt_hst>{properties}</vrt_hst></hosting></add></webspace>"
    )
    pk = int(result.findtext("id") or 0)
    docs = instance.state / "vhosts" / name / "httpdocs"
    wait_for("the owner has his rights", lambda: docs.exists() and writes(instance, f"s{pk}", docs / "page"))
    visitor = f"s{pk}-web"
    assert not writes(instance, visitor, docs / "no")
    for value in ("true", "false"):
        setting = f"<property><name>write_modify</name>{xml('value', value)}</property>"
        values = f"<values><hosting><vrt_hst>{setting}</vrt_hst></hosting></values>"
        instance.panel.result(f"<webspace><set><filter>{xml('id', pk)}</filter>{values}</set></webspace>")
        # A new name each time: who could make a file keeps it.
        wait_for(
            "the setting has come",
            lambda wanted=value == "true": writes(instance, visitor, docs / f"try{next(_numbers)}") == wanted,  # type: ignore[misc]
        )
    assert not writes(instance, visitor, docs / "again")

    assert security(instance, "hosting", "--check", "--domain", name)[0] == 0
    _, history = security(instance, "history", "--domain", name)
    assert [version["who"] for version in history["versions"]] == ["panel"] * 3
    (docs / "page").chmod(0o600)
    code, drift = security(instance, "drift", str(docs))
    assert (code, [row["path"] for row in drift["drift"]]) == (1, [str(docs / "page")])
    assert security(instance, "drift", str(docs / "page"), "--restore")[0] == 0
    assert security(instance, "hosting", "--instantiate", "--domain", name)[0] == 0
    _, told = security(instance, "explain", str(docs / "page"), "--account", f"@{instance.description['group']}-cln")
    assert told["drift"] is False
    instance.panel.result(f"<webspace><del><filter>{xml('id', pk)}</filter></del></webspace>")
    wait_for("its rules are gone", lambda: not (instance.state / f"lib/security/history/hosting/s{pk}").exists())
