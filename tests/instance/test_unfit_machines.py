"""`up` on a machine that it cannot work on: a sentence that says what is wrong and what to do, and nothing changed.

Each runs in mounts (and where it is about the network, in a network) of its own, so that the machine stays as it is.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems: run as root"),
]

SCRIPT = Path(__file__).resolve().parents[2] / "innkeeper"
STATUS = Path("/var/lib/dpkg/status")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def refused(state: Path, *preparations: str, network: bool = True) -> str:
    """What `up` says on standard error when it refuses on a machine that was prepared so."""
    up = shlex.join([str(SCRIPT), "up", "--no-demo", "--state", str(state)])
    done = subprocess.run(
        ["unshare", "--mount", *([] if network else ["--net"]), "sh", "-ec", "\n".join([*preparations, f"exec {up}"])],
        capture_output=True, text=True, check=False, timeout=120, cwd="/",
        # Without a network a second try helps nothing.
        env=os.environ | {"PIP_RETRIES": "0"},
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("version", ["11.9", "9.13"])
def test_an_old_debian(folder: Path, version: str) -> None:
    (folder / "version").write_text(f"{version}\n")
    said = refused(folder / "s", f"mount --bind {folder}/version /etc/debian_version")
    assert (
        said == f"innkeeper: This is Debian {version.split('.', maxsplit=1)[0]}. Innkeeper needs Debian 12 or newer.\n"
    )
    assert not (folder / "s").exists()


def test_a_full_disk_below_the_state_folder(folder: Path) -> None:
    disk = folder / "disk"
    disk.mkdir()
    said = refused(disk / "s", f"mount -t tmpfs -o size=40m none {disk}")
    assert f"The disk of {disk}/s has 40 MiB left; an instance needs 300 MiB. Free some space" in said


def test_a_full_disk_below_the_environment(folder: Path) -> None:
    said = refused(folder / "s", "mount -t tmpfs -o size=400m none /opt/innkeeper")
    assert "The disk of /opt/innkeeper has 400 MiB left and 500 MiB are needed. Free some space." in said
    assert not (folder / "s").exists()


def test_no_network_for_the_python_packages(folder: Path) -> None:
    said = refused(folder / "s", "mount -t tmpfs -o size=900m none /opt/innkeeper", network=False)
    assert "The Python packages could not be fetched. Is the network reachable? Run it again to go on." in said
    assert not (folder / "s").exists()


def test_no_network_for_the_debian_packages(folder: Path) -> None:
    records = STATUS.read_text().split("\n\n")
    (folder / "status").write_text("\n\n".join(r for r in records if not r.startswith("Package: dovecot-pop3d\n")))
    said = refused(
        folder / "s",
        f"mount --bind {folder}/status {STATUS}",
        "mount -t tmpfs none /var/cache/apt/archives",
        "mount -t tmpfs none /var/lib/apt/lists",
        network=False,
    )
    assert "Installing Debian packages: dovecot-pop3d" in said
    assert "The packages could not be installed. Is the network reachable" in said
    assert not (folder / "s").exists()
