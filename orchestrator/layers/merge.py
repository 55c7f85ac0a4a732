# SPDX-License-Identifier: MIT
"""Lay OCI layers over each other (image-spec v1.1, layer.md "Applying Changesets", "Whiteouts", "Opaque Whiteout").

A whiteout concerns what lies in lower OCI layers only, wherever it stands in its own: so all of a layer's whiteouts are
applied to the tree so far, and then its entries are added in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.errors import VerificationError
from orchestrator.layers.nodes import Directory, Node, Symlink
from orchestrator.layers.tree import Limits, Tree, show

_WHITEOUT = b".wh."
_RESERVED = b".wh..wh."  # names of the union file systems' own: an opaque marker, or metadata of AUFS
_OPAQUE = b".wh..wh..opq"
_LINKED = b".wh..wh.plnk"  # where AUFS keeps the content of hard links, which other entries then name


@dataclass(slots=True)
class Changes:
    """The entries of one OCI layer, as a tar reader hands them over, not yet applied to anything."""

    limits: Limits
    notes: list[str] = field(default_factory=list)
    entries: list[tuple[bytes, Node | bytes]] = field(default_factory=list)
    """Paths with what is to be there, in the layer's order: an entry, or the target of a hard link."""
    removed: list[bytes] = field(default_factory=list)
    emptied: list[bytes] = field(default_factory=list)
    _linked: dict[bytes, Node] = field(default_factory=dict)

    def add(self, path: bytes, node: Node) -> None:
        """Take an entry, or the whiteout that its name makes of it."""
        parts = path.split(b"/")
        if parts[0] == _LINKED and len(parts) > 1 and not isinstance(node, Directory):
            self._linked[path] = node
            self._check_number()
        elif not self._special(path, parts):
            self._append(path, node)

    def link(self, path: bytes, target: bytes) -> None:
        """Take a hard link; AUFS writes whiteouts as such, too."""
        if self._special(path, path.split(b"/")):
            return
        found = self._linked.get(target)
        self._append(path, target if found is None else found)

    def _append(self, path: bytes, what: Node | bytes) -> None:
        self.entries.append((path, what))
        self._check_number()

    def _check_number(self) -> None:
        number = len(self.entries) + len(self.removed) + len(self.emptied) + len(self._linked)
        if number > self.limits.entries:
            raise VerificationError("it has too many entries", f"the limit is {self.limits.entries}")

    def _special(self, path: bytes, parts: list[bytes]) -> bool:
        """Return if a path is no entry but a mark, having noted what it marks."""
        first = next((place for place, part in enumerate(parts) if part.startswith(_WHITEOUT)), None)
        if first is None:
            return False
        folder, name = b"/".join(parts[:first]), parts[first]
        last = first == len(parts) - 1
        if name == _OPAQUE and last:
            self.emptied.append(folder)
        elif name.startswith(_RESERVED):
            pass
        elif not last:
            raise VerificationError(f"the entry {show(path)} lies below a whiteout")
        elif name[len(_WHITEOUT) :] in (b"", b".", b".."):
            raise VerificationError(f"the whiteout {show(path)} names nothing that could be removed")
        else:
            self.removed.append((folder + b"/" if folder else b"") + name[len(_WHITEOUT) :])
        self._check_number()
        return True


def apply(tree: Tree, changes: Changes) -> list[bytes]:
    """Change `tree` by one OCI layer; returns the paths of what whiteouts removed, each with all that lay below it.

    Raises VerificationError for entries and hard links that do not fit what is there, and when a limit is passed.
    """
    gone: list[bytes] = []
    # A lower link that a directory of this layer replaces: nothing lower is below that name, and what is behind the
    # link is none of this layer's business.
    replaced = {
        path
        for path, what in changes.entries
        if isinstance(what, Directory) and isinstance(tree.get(path, follow=False), Symlink)
    }
    for path in changes.removed:
        folder = path.rpartition(b"/")[0]
        if _at_or_below(folder, replaced):
            continue
        if (node := tree.get(path, follow=False)) is not None:
            gone.append(path)
            gone += _below(path, node)
            tree.remove(path)
    for path in changes.emptied:
        if _at_or_below(path, replaced):
            continue
        if isinstance(node := tree.get(path), Directory):
            gone += _below(path, node)
            node.children.clear()
    for path, what in changes.entries:
        if isinstance(what, bytes):
            tree.link(path, what)
        else:
            tree.add(path, what)
    tree.notes += [note for note in changes.notes if note not in tree.notes]
    return gone


def _at_or_below(path: bytes, places: set[bytes]) -> bool:
    end = len(path) if places else 0
    while end > 0:
        if path[:end] in places:
            return True
        end = path.rfind(b"/", 0, end)
    return False


def _below(path: bytes, node: Node) -> Iterator[bytes]:
    pending = [(path, node)]  # and no recursion: a path may have two thousand parts
    while pending:
        above, here = pending.pop()
        if isinstance(here, Directory):
            for name, child in here.children.items():
                under = (above + b"/" if above else b"") + name
                yield under
                pending.append((under, child))
