"""The store for another machine.

A file for ``icacls /restore``, or descriptors as text. Nothing on this machine changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

from innkeeper.permissions.nt import sddl
from innkeeper.permissions.nt.acl import Descriptor
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix.acl import ACCESS
from innkeeper.permissions.posix.translate import Translator
from innkeeper.permissions.stores.base import NO_MEASURES, Change, Measures
from innkeeper.permissions.stores.nt import NTState, descriptor

Exported = tuple[tuple[str, ...], Descriptor]


class ExportStore:
    """Decides like the NT store for objects that have no descriptor yet.

    Writing is what ``wanted`` collects.
    """

    name: ClassVar[str] = "export"

    def __init__(self, policy: Policy) -> None:
        """Export what this policy says."""
        self.translator = Translator(policy)

    def read(self, target: int | str, st: os.stat_result) -> NTState:
        """Only what the object brings along; an export always writes."""
        return self.seen(self.glance(target), st)

    def glance(self, name: int | str) -> bytes | None:
        """The access list."""
        follow = isinstance(name, int)
        has_list = ACCESS in os.listxattr(name, follow_symlinks=follow)
        return os.getxattr(name, ACCESS, follow_symlinks=follow) if has_list else None

    def seen(self, glance: bytes | None, st: os.stat_result) -> NTState:
        """The state of an object with this list."""
        return NTState(st.st_uid, st.st_gid, st.st_mode & 0o777, glance, None)

    def want(self, ground: Ground, state: NTState, measures: Measures = NO_MEASURES) -> NTState:
        """The descriptor as text, in the place of the attribute."""
        del measures
        return state._replace(attribute=sddl.format(descriptor(ground, state, self.translator)).encode())

    def change(self, old: NTState, new: NTState, *, is_folder: bool, follow: bool = False) -> Change:
        """An export is a plan, so nothing is written.

        Raises: NotImplementedError.
        """
        raise NotImplementedError("an export writes nothing")

    def is_cut_off(self, old: NTState, new: NTState, now: NTState) -> bool:
        """Never: nothing is written."""
        del old, new, now
        return False

    def dump(self, state: NTState) -> Any:
        """The text of the descriptor."""
        return (state.attribute or b"").decode()

    def load(self, data: Any) -> NTState:
        """An export has no journal, so there is nothing to load.

        Raises: NotImplementedError.
        """
        raise NotImplementedError("an export has no journal")

    def describe(self, state: NTState) -> str:
        """As SDDL."""
        return (state.attribute or b"").decode()


def icacls(objects: Iterable[Exported], top: str) -> bytes:
    """The file that ``icacls PARENT /restore FILE`` reads, where PARENT holds the folder ``top``.

    UTF-16 without a mark, CRLF, two lines an object: path and list. It has no owners; see ``owners``.
    """
    lines = [line for path, found in objects for line in ("\\".join((top, *path)), sddl.format_dacl(found))]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-16-le", "replace")


def owners(objects: Iterable[Exported], top: str) -> str:
    """Commands that set the owners, which the restore file cannot hold."""
    return "".join(f'icacls "{chr(92).join((top, *path))}" /setowner *{found.owner}\r\n' for path, found in objects)
