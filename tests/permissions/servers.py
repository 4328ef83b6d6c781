"""A server of the tests: a state folder with its layout, and accounts of the machine that no test changes."""

from __future__ import annotations

from pathlib import Path

from innkeeper.permissions.server import disk
from innkeeper.permissions.server.layout import Layout

ALIASES = {"psaadm": "bin", "psacln": "@games", "psaserv": "@www-data", "network service": "@www-data",
           "ftp_subaccounts": "@news"}  # fmt: skip


def named(root: Path) -> Layout:
    """The layout of a state folder."""
    names = {
        "PRODUCT_ROOT_D": root / "program",
        "PRODUCT_BIN_D": root / "bin",
        "PRODUCT_ETC_D": root / "etc",
        "HTTPD_VHOSTS_D": root / "vhosts",
    }
    return Layout(
        root=root,
        vhosts=root / "vhosts",
        etc=root / "etc",
        records=root / "lib" / "security",
        names={name: str(path) for name, path in names.items()},
        aliases=ALIASES,
    )


def layout(root: Path) -> Layout:
    """The same, with every folder that its names stand for."""
    made = named(root)
    for path in made.names.values():
        Path(path).mkdir(mode=0o755)
    made.records.mkdir(parents=True, mode=0o700)
    disk.install(made)
    return made
