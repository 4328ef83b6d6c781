"""Panels to be killed: each a server of its own on the instance's database."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from guard import Guard
from services.cluster import free_port
from services.mail_clients import wait_for
from services.packets import PacketRefused, Panel
from services.private import PrivateInstance


class MortalPanel:
    """One server process group with the application of `dying_panel`, run as the panel's user."""

    def __init__(self, instance: PrivateInstance, folder: Path) -> None:
        described = instance.description
        user = pwd.getpwnam(described["users"]["panel"])
        self.folder = folder
        self.folder.mkdir(mode=0o755)
        shutil.copy(Path(__file__).with_name("dying_panel.py"), folder)
        (folder / "progress").write_bytes(b"\0")
        (folder / "progress").chmod(0o666)
        self._point = folder / "point"
        port = free_port()
        state = instance.state
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "INNKEEPER_STATE": str(state),
            "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings",
            "PYTHONPATH": f"{(state / 'program/current').resolve()}:{folder}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DYING_FOLDER": str(folder),
        }
        command = [
            f"{described['environment']}/bin/python", "-m", "granian", "--interface", "rsgi",
            "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-ws",
            "--ssl-certificate", str(state / "etc/tls/cert.pem"), "--ssl-keyfile", str(state / "etc/tls/key.pem"),
            "dying_panel:application",
        ]  # fmt: skip
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, cwd="/", user=user.pw_uid, group=user.pw_gid, extra_groups=[], umask=0o027,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._guard = Guard("kill", "-KILL", "--", f"-{self._process.pid}")
        self.client = Panel(port, "admin", instance.panel.password)

    def wait_ready(self) -> None:
        """Wait until it answers packets; the second answer comes from a warm process."""

        def answers() -> bool:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                self.client.packet("<mail><get_prefs><filter><site-id>0</site-id></filter></get_prefs></mail>")
            except PacketRefused:
                return True
            except OSError:
                return False
            return True

        wait_for("the panel answers", answers, 40)

    def arm(self, point: str) -> None:
        """Let it die when it comes to this place."""
        new = self._point.with_suffix(".new")
        new.write_text(point)
        new.chmod(0o644)
        new.rename(self._point)

    @property
    def is_at_work(self) -> bool:
        """Whether it was working on a packet, now or when it died."""
        return (self.folder / "progress").read_bytes() == b"\1"

    def kill(self) -> None:
        """`kill -9` of the whole server."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        self._guard.release()
