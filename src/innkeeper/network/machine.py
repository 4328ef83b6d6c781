"""The network interfaces of this machine and their addresses, read from the system."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

ROUTES = Path("/proc/net/route")
DEFAULT_DESTINATION = "00000000"
FULL_MASK = {4: "255.255.255.255", 6: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}


@dataclass(frozen=True, slots=True)
class Found:
    """An address on an interface. `is_main` marks the machine's main one."""

    address: str
    netmask: str
    interface: str
    is_main: bool = False


def interface_names() -> list[str]:
    """Names of all interfaces, those that lead outside first, the loopback last."""
    return sorted(psutil.net_if_addrs(), key=lambda name: (name == "lo", name))


def addresses(listening: str = "") -> list[Found]:
    """Usable addresses of the machine, the main one first. A machine without a network has its loopback address.

    `listening` is the one address that the services listen on, if they do not listen on all: it is the main one then.
    """
    outside: list[Found] = []
    loopback: list[Found] = []
    for name in interface_names():
        for entry in psutil.net_if_addrs()[name]:
            if entry.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            parsed = ipaddress.ip_address(entry.address.partition("%")[0])
            if parsed.is_link_local or parsed.is_multicast:
                continue
            found = Found(str(parsed), entry.netmask or FULL_MASK[parsed.version], name)
            if not parsed.is_loopback:
                outside.append(found)
            elif parsed.version == 4:
                loopback.append(found)
    usable = [found for found in loopback if found.address == listening] + outside or loopback
    gateway = _default_interface()
    usable.sort(key=lambda found: (found.address != listening, ":" in found.address, found.interface != gateway))
    return [Found(f.address, f.netmask, f.interface, is_main=index == 0) for index, f in enumerate(usable)]


def _default_interface() -> str:
    """The interface of the default route, empty if there is none."""
    try:
        lines = ROUTES.read_text().splitlines()[1:]
    except OSError:
        return ""
    for line in lines:
        columns = line.split()
        if len(columns) > 1 and columns[1] == DEFAULT_DESTINATION:
            return columns[0]
    return ""
