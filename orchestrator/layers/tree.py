# SPDX-License-Identifier: MIT
"""A file system tree in memory: paths are resolved as in a chroot, and nothing can lead out of it.

Names are bytes. A path is relative to the tree's root, with or without a leading slash. Links in parents are
resolved inside the root, `..` at the root stays there, and the last component is followed only where a method says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.errors import ConfigError, PyContainerError, VerificationError
from orchestrator.layers.nodes import Directory, File, Node, Symlink

NAME_MAX = 255
PATH_MAX = 4096
_LINKS_MAX = 40  # the kernel's own limit, path_resolution(7)


@dataclass(frozen=True)
class Limits:
    """What a foreign tree may cost: number of entries, bytes of content (holes included).

    `spare` is by how much the tar of such a tree may be larger than its content: headers and padding.
    """

    entries: int = 500_000
    size: int = 8 * 1024**3
    spare: int = 64 * 1024**2

    @property
    def tar(self) -> int:
        """Bytes of an uncompressed tar at most."""
        return self.size + self.spare


def show(path: bytes) -> str:
    """Return a path for a message: undecodable bytes and control characters escaped, never longer than 200."""
    text = path.decode("utf-8", "backslashreplace")
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return text if len(text) <= 200 else text[:197] + "..."


def _parts(path: bytes) -> list[bytes]:
    return [part for part in path.split(b"/") if part not in (b"", b".")]


class Tree:
    """A root directory and the operations on it.

    `limits` bounds what is added. `notes` collects remarks for the user: what the image format cannot carry.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.root = Directory(mode=0o755)
        self.limits = limits or Limits()
        self.notes: list[str] = []
        self._entries = 0
        self._size = 0

    def get(self, path: bytes, *, follow: bool = True) -> Node | None:
        """Return the entry at `path` or None; `follow` resolves a link in the last place too.

        Raises VerificationError for a loop of links.
        """
        node = self._resolve(_parts(path), follow=follow)
        return node[-1] if node else None

    def add(self, path: bytes, node: Node) -> None:
        """Put `node` at `path`, as an archiver does: the last entry for a path wins, a directory over a directory
        changes its attributes and keeps its children, anything else replaces what was there, a link included.

        Missing parents come as 0755 0:0. Raises VerificationError when a parent is no directory, a name or path is
        too long, or a limit is passed.
        """
        parts = _parts(path)
        if not parts:
            if not isinstance(node, Directory):
                raise VerificationError("the root of a tree must be a directory")
            self._assign(self.root, node)
            return
        parent, name = self._parent(parts)
        old = parent.children.get(name)
        if isinstance(old, Directory) and isinstance(node, Directory):
            self._assign(old, node)
            return
        self._count(node)
        parent.children[name] = node

    def link(self, path: bytes, target: bytes) -> None:
        """Make `path` another name of the entry at `target` (not followed), in place of what was there.

        Raises VerificationError when the target is missing or a directory.
        """
        found = self.get(target, follow=False)
        if found is None or isinstance(found, Directory):
            why = "there is no such entry" if found is None else "it is a directory"
            raise VerificationError(f"the hard link {show(path)} leads to {show(target)}", why)
        parts = _parts(path)
        if not parts:
            raise VerificationError("the root of a tree must be a directory", "a hard link was to replace it")
        parent, name = self._parent(parts)
        parent.children[name] = found
        self._bump(1, 0)

    def remove(self, path: bytes) -> bool:
        """Remove the entry at `path`, with all below it; the last component is not followed. Return if it was there."""
        parts = _parts(path)
        if not parts or parts[-1] == b"..":
            raise VerificationError(f"{path!r} cannot be removed", "it names no entry of a directory")
        chain = self._resolve(parts[:-1], follow=True)
        if not chain or not isinstance(chain[-1], Directory):
            return False
        return chain[-1].children.pop(parts[-1], None) is not None

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Yield (path, entry) of all but the root, each directory before what it holds, siblings in byte order."""
        stack = [(b"", iter(sorted(self.root.children.items())))]
        while stack:
            prefix, entries = stack[-1]
            for name, node in entries:
                path = prefix + name
                yield path, node
                if isinstance(node, Directory):
                    stack.append((path + b"/", iter(sorted(node.children.items()))))
                    break
            else:
                stack.pop()

    def merge(self, other: Tree, destination: bytes) -> None:
        """Add all of `other` below `destination`, made if missing; attributes of an existing destination stay."""
        self.ensure_directory(destination)
        prefix = destination.rstrip(b"/") + b"/"
        names: dict[int, bytes] = {}
        for path, node in other.walk():
            if isinstance(node, Directory):
                where = self.get(prefix + path)
                if not isinstance(where, Directory):  # a link to a directory stays, as cp -r into a system would do
                    self.add(
                        prefix + path,
                        Directory(mode=node.mode, uid=node.uid, gid=node.gid, mtime=node.mtime, xattrs=node.xattrs),
                    )
            elif id(node) in names:
                self.link(prefix + path, names[id(node)])
            else:
                self.add(prefix + path, node)
                names[id(node)] = prefix + path
        self.notes += other.notes

    def ensure_directory(self, path: bytes, *, mode: int = 0o755, mtime: int = 0) -> Directory:
        """Return the directory at `path`, links followed, made with its parents when missing (0:0).

        Raises ConfigError when something else is in the way.
        """
        chain = self._resolve(_parts(path), follow=True, make=Directory(mode=mode, mtime=mtime), error=ConfigError)
        if not chain or not isinstance(chain[-1], Directory):
            raise ConfigError(f"{show(path)} must be a directory of the layer", "the layer has something else there")
        return chain[-1]

    def _parent(self, parts: list[bytes]) -> tuple[Directory, bytes]:
        name = parts[-1]
        if name == b".." or b"\0" in name:
            raise VerificationError(f"{show(b'/'.join(parts))} is not the name of an entry")
        if sum(map(len, parts)) + len(parts) > PATH_MAX or any(len(part) > NAME_MAX for part in parts):
            raise VerificationError(
                f"the path {show(b'/'.join(parts))} is too long", f"a name may have {NAME_MAX} bytes, a path {PATH_MAX}"
            )
        chain = self._resolve(parts[:-1], follow=True, make=Directory(mode=0o755))
        if not chain or not isinstance(chain[-1], Directory):
            raise VerificationError(f"{show(b'/'.join(parts))} lies below something that is no directory")
        return chain[-1], name

    def _resolve(
        self,
        parts: list[bytes],
        *,
        follow: bool,
        make: Directory | None = None,
        error: type[PyContainerError] = VerificationError,
    ) -> list[Node] | None:
        """Return the entries from the root to the one that `parts` names, or None; `make`: the form of new parents."""
        chain: list[Node] = [self.root]
        todo = parts[::-1]
        links = 0
        while todo:
            part = todo.pop()
            here = chain[-1]
            if not isinstance(here, Directory):
                return None
            if part == b"..":
                if len(chain) > 1:
                    chain.pop()
                continue
            node = here.children.get(part)
            if isinstance(node, Symlink) and (todo or follow):
                links += 1
                if links > _LINKS_MAX:
                    raise error(f"too many symbolic links in {show(b'/'.join(parts))}", "the links form a loop")
                if node.target.startswith(b"/"):
                    chain = [self.root]
                todo += _parts(node.target)[::-1]
                continue
            if node is None:
                if make is None:
                    return None
                if len(part) > NAME_MAX or b"\0" in part:
                    raise error(f"{show(part)} is not the name of an entry")
                node = Directory(mode=make.mode if not todo else 0o755, mtime=make.mtime)
                self._count(node)
                here.children[part] = node
            chain.append(node)
        return chain

    @staticmethod
    def _assign(old: Directory, new: Directory) -> None:
        old.mode, old.uid, old.gid, old.mtime, old.xattrs = new.mode, new.uid, new.gid, new.mtime, new.xattrs

    def _count(self, node: Node) -> None:
        self._bump(1, node.content.size if isinstance(node, File) else 0)

    def _bump(self, entries: int, size: int) -> None:
        self._entries += entries
        self._size += size
        if self._entries > self.limits.entries:
            raise VerificationError("a layer has too many files", f"the limit is {self.limits.entries} entries")
        if self._size > self.limits.size:
            raise VerificationError("a layer is too large", f"the limit is {self.limits.size} bytes of content")
