"""What this machine is and how it does: system, processor, memory, disks, packages, shells. Reads only."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

OS_RELEASE = Path("/etc/os-release")
CPU_INFO = Path("/proc/cpuinfo")
SHELLS = Path("/etc/shells")
NO_SHELL = "/bin/false"
PROBE_TIMEOUT_S = 10

# Debian package -> the component that it serves as.
COMPONENTS = {
    "postfix": "postfix",
    "dovecot-core": "dovecot",
    "bind9": "bind",
    "pdns-server": "powerdns",
    "nginx": "nginx",
    "apache2": "apache",
    "php-fpm": "php",
    "mariadb-server": "mariadb",
    "postgresql": "postgresql",
    "proftpd-core": "proftpd",
    "rspamd": "rspamd",
    "spamassassin": "spamassassin",
    "clamav-daemon": "clamav",
}


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted device, sizes in bytes."""

    device: str
    total: int
    used: int
    free: int


def host_name() -> str:
    """The machine's name."""
    return socket.gethostname()


def operating_system() -> tuple[str, str]:
    """Name and version of the distribution, such as ("Debian", "12")."""
    values = {}
    for line in OS_RELEASE.read_text().splitlines() if OS_RELEASE.exists() else []:
        key, _, value = line.partition("=")
        values[key] = value.strip('"')
    return values.get("ID", "linux").title(), values.get("VERSION_ID", "0")


def kernel() -> str:
    """The running kernel's release."""
    return platform.release()


def processor() -> str:
    """The processor's model, with the number of its cores."""
    for line in CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []:
        if line.startswith("model name"):
            return f"{line.partition(':')[2].strip()} ({os.cpu_count()} cores)"
    return f"{platform.machine()} ({os.cpu_count()} cores)"


def uptime_s() -> int:
    """Seconds since the machine started."""
    return max(0, int(time.time() - psutil.boot_time()))


def load_average() -> tuple[float, float, float]:
    """Load over 1, 5 and 15 minutes."""
    return psutil.getloadavg()


def disks() -> list[Disk]:
    """Mounted devices, that of the root directory first, each once."""
    found: dict[str, Disk] = {}
    devices = {part.mountpoint: part.device for part in psutil.disk_partitions(all=False)}
    for mountpoint in ["/", *sorted(devices)]:
        device = devices.get(mountpoint, mountpoint)
        if device in found:
            continue
        try:
            usage = psutil.disk_usage(mountpoint)
        except OSError:  # a mount that this user may not look into
            continue
        found[device] = Disk(device, usage.total, usage.used, usage.free)
    return list(found.values())


def components() -> list[tuple[str, str]]:
    """Name and version of each product that is installed from the distribution."""
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status} ${Version}\n", *COMPONENTS]
    try:
        # It fails for names that are not installed, and lists the others all the same.
        output = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split(" ", 2) for line in output.splitlines()]
    return sorted((COMPONENTS[row[0]], row[2]) for row in rows if len(row) == 3 and row[1] == "installed")


def shells() -> list[tuple[str, str]]:
    """Name and path of each log-in shell; the one that lets nobody in comes first."""
    found = [("Forbidden", NO_SHELL)]
    for line in SHELLS.read_text().splitlines() if SHELLS.exists() else []:
        path = line.strip()
        if path.startswith("/") and Path(path).exists():
            found.append((path, path))
    return found
