"""The sweep before a test run takes users of lost instances alone."""

from __future__ import annotations

import pwd
from pathlib import Path

from leftovers import forgotten

from innkeeper.instance import users
from innkeeper.instance.config import Instance


def account(name: str, comment: str) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", 990, 990, comment, "/nonexistent", "/usr/sbin/nologin"))


def test_only_instances_whose_folder_is_gone_and_whose_name_fits_it_are_forgotten(tmp_path: Path) -> None:
    lost, living = (Instance.new(tmp_path / name, environment=Path("/e")) for name in ("lost", "living"))
    living.state.mkdir()
    accounts = [
        account(lost.users.panel, users.comment_of(lost)),
        account(lost.users.mail, users.comment_of(lost)),
        account(living.users.panel, users.comment_of(living)),
        account("innkeeper-00000000", users.comment_of(lost)),
        account("innkeeper-11111111", f"{users.COMMENT}of somebody's own"),
        account("innkeeper", "The innkeeper"),
        account("root", "root"),
    ]
    assert [instance.tag for instance in forgotten(accounts)] == [lost.tag]
