"""The contract of a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from innkeeper.permissions.policy import Ground

S = TypeVar("S", bound=Hashable)


class Measures(NamedTuple):
    """What a folder needs beyond its list: things that no list can say."""

    sticky: bool = False
    root_owned: bool = False


NO_MEASURES = Measures()

# Writes the permissions of one object. Raises OSError.
Change = Callable[[int | str], None]


class Store(Protocol[S]):
    """Reads, decides and writes the permissions of one object.

    A target is a descriptor of an opened folder, or the name of a file in the current directory, which is
    never followed if it is a link. States are values: equal states mean that nothing has to be written.
    """

    name: ClassVar[str]

    def read(self, target: int | str, st: os.stat_result) -> S:
        """What is there now."""

    def glance(self, name: str) -> Hashable:
        """What a file in the current directory has beside its type, mode, owner and group.

        Files of which all of this is equal have equal states. Most files of a folder do, and comparing is cheaper than
        making a state of each.
        """

    def seen(self, glance: Any, st: os.stat_result) -> S:
        """The state of a file at which was glanced."""

    def want(self, ground: Ground, state: S, measures: Measures = NO_MEASURES) -> S:
        """What the rules want; pure. ``ground.reaches`` holds.

        Raises: TooManyEntriesError.
        """

    def change(self, old: S, new: S, *, is_folder: bool, follow: bool = False) -> Change:
        """What turns old into new, for any number of objects that are alike.

        ``follow`` is set when the targets are paths that stand for open descriptors.
        """

    def is_cut_off(self, old: S, new: S, now: S) -> bool:
        """Whether changes between the two that were cut off may have left this."""

    def dump(self, state: S) -> Any:
        """The state as JSON data, for the journal."""

    def load(self, data: Any) -> S:
        """The inverse of ``dump``."""

    def describe(self, state: S) -> str:
        """The state in words of the store's own tools."""
