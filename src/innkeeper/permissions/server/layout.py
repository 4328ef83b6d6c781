"""Where a server keeps its rules, and what names of folders and accounts in them mean there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from innkeeper.instance.config import Instance
from innkeeper.permissions.principals import Principals

DISK_FOLDER = "DiskSecurity"
INSTANCE = ".security"


@dataclass(frozen=True)
class Layout:
    """One server: the root of its disk policy, the folder of all hosting, and where rules and records lie."""

    root: Path
    vhosts: Path
    etc: Path
    records: Path
    names: Mapping[str, str]
    aliases: Mapping[str, str]

    @classmethod
    def of(cls, instance: Instance) -> Layout:
        """The layout of a private instance: its disk is the state folder."""
        state = instance.state
        names = {
            "PRODUCT_ROOT_D": instance.program.parent,
            "PRODUCT_BIN_D": state / "bin",
            "PRODUCT_ETC_D": instance.etc,
            "PRODUCT_LOGS_D": instance.log_dir,
            "HTTPD_VHOSTS_D": instance.vhosts,
            "PLESK_MAILNAMES_D": instance.storage,
        }
        groups = {name: f"@{group}" for name, group in instance.hosting_groups.items()}
        return cls(
            root=state,
            vhosts=instance.vhosts,
            etc=instance.etc,
            records=state / "lib" / "security",
            names={name: str(path) for name, path in names.items()},
            # What the format's origin keeps apart for services is one group here.
            aliases={"psaadm": instance.users.panel, **groups, "network service": groups["psaserv"]},
        )

    @property
    def disk_folder(self) -> Path:
        """The folder of all files of the disk policy."""
        return self.etc / DISK_FOLDER

    @property
    def runs(self) -> Path:
        """The journals of all runs."""
        return self.records / "runs"

    def principals(self) -> Principals:
        """The accounts of the machine, with this server's other names for some."""
        found = _accounts(*(_stamp(Path("/etc", name)) for name in ("passwd", "group")))
        return Principals(
            found.users, found.groups, found.memberships, {key.casefold(): to for key, to in self.aliases.items()}
        )


@lru_cache(maxsize=1)
def _accounts(passwd: object, group: object) -> Principals:
    """Read again only when one of the files has changed: with thousands of accounts it takes a while."""
    del passwd, group
    return Principals.of_system()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
