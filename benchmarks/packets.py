"""The packets that the benchmarks send."""

from __future__ import annotations

CRYPT = "$2y$10$abcdefghijklmnopqrstuuN9qWKq4yR7DqOqHXr8TTC8iOdpGwQ2m"


def create(names: list[str], site: int = 1, password: str = CRYPT, kind: str = "crypt") -> bytes:
    """A packet that creates accounts with a mailbox."""
    accounts = "".join(
        f"<mailname><name>{name}</name><mailbox><enabled>true</enabled></mailbox>"
        f"<password><value>{password}</value><type>{kind}</type></password></mailname>"
        for name in names
    )
    return (
        f'<packet version="1.6.9.1"><mail><create><filter><site-id>{site}</site-id>{accounts}</filter></create></mail></packet>'
    ).encode()


def get_info(names: list[str], site: int = 1) -> bytes:
    """A packet that reads accounts with their mailbox settings."""
    selected = "".join(f"<name>{name}</name>" for name in names)
    return (
        f'<packet version="1.6.9.1"><mail><get_info><filter><site-id>{site}</site-id>{selected}</filter>'
        "<mailbox/></get_info></mail></packet>"
    ).encode()


PROBE = b'<packet version="1.6.9.1"><server><get_protos/></server></packet>'
