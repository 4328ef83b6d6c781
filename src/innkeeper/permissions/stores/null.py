"""The store that writes nothing and remembers what it was asked, for tests and trials."""

from __future__ import annotations

from typing import ClassVar

from innkeeper.permissions.stores.base import Change
from innkeeper.permissions.stores.posix import PosixState, PosixStore


class NullStore(PosixStore):
    """Reads and decides like the POSIX store."""

    name: ClassVar[str] = "null"
    written: list[tuple[int | str, PosixState, PosixState]]

    def change(self, old: PosixState, new: PosixState, *, is_folder: bool, follow: bool = False) -> Change:
        """Remember the changes."""
        del is_folder, follow
        if not hasattr(self, "written"):
            self.written = []
        return lambda target: self.written.append((target, old, new))
