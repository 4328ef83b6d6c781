"""Where the paths of rules lie: the root of a run, and the names that stand for folders."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from innkeeper.permissions.rules.entry import Rule
from innkeeper.permissions.rules.finding import RuleError

_NAMED = re.compile(r"(?:\[(?P<bracket>[^\]/]*)\]|%(?P<variable>[^%/]+)%)(?P<rest>/.*)?$")
# Variables of the metadata format and the component names that mean the same folder.
SAME = {
    "plesk_vhosts": "HTTPD_VHOSTS_D",
    "plesk_dir": "PRODUCT_ROOT_D",
    "plesk_bin": "PRODUCT_BIN_D",
}


@dataclass(frozen=True)
class Places:
    """The root that a run never leaves, and the folders that bracket names and variables mean.

    Without ``names`` each of them means the root itself, so that rules made for one server try out on any
    folder.
    """

    root: str
    names: Mapping[str, str] = field(default_factory=dict)

    def locate(self, rule: Rule) -> tuple[str, ...]:
        """The folder that a rule names, as parts below the root.

        Raises: RuleError when a name is not known or the path lies outside the root.
        """
        path = rule.path
        if path in ("/", "*"):
            return rule.sub_path
        match = _NAMED.fullmatch(path)
        if match:
            base = self._named(rule, match["bracket"] or match["variable"])
            path = base + (match["rest"] or "")
        elif not path.startswith("/"):
            path = f"{self.root}/{path}"
        path = posixpath.join(path, *rule.sub_path)
        parts = self.below_root(path)
        if parts is None:
            raise RuleError([rule.finding("outside-root", f"{path} lies outside of {self.root}")])
        return parts

    def below_root(self, path: str) -> tuple[str, ...] | None:
        """The parts of an absolute path that follow the root, or None when it lies elsewhere."""
        parts, root = _parts(path), _parts(self.root)
        return parts[len(root) :] if parts[: len(root)] == root else None

    def _named(self, rule: Rule, name: str) -> str:
        if not self.names:
            return self.root
        folded = {key.casefold(): value for key, value in self.names.items()}
        for candidate in (name, SAME.get(name.casefold(), name)):
            if candidate.casefold() in folded:
                return folded[candidate.casefold()]
        known = ", ".join(sorted(self.names))
        raise RuleError([rule.finding("unknown-name", f"no folder is called {name}; known are: {known}")])


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in posixpath.normpath(path).split("/") if part not in ("", "."))
