"""The store that writes nothing and remembers what it was asked, for tests and trials."""

from __future__ import annotations

from typing import ClassVar

from innkeeper.permissions.stores.posix import PosixState, PosixStore


class NullStore(PosixStore):
    """Reads and decides like the POSIX store."""

    name: ClassVar[str] = "null"
    written: list[tuple[int | str, PosixState, PosixState]]

    def write(
        self, target: int | str, old: PosixState, new: PosixState, *, is_folder: bool, follow: bool = False
    ) -> None:
        """Remember the change."""
        del is_folder, follow
        if not hasattr(self, "written"):
            self.written = []
        self.written.append((target, old, new))
