# SPDX-License-Identifier: MIT
"""What a power cut takes of a folder: all that no sync has brought to the disk.

POSIX promises no more than this: content is safe once its file is synced, a name (made, moved, removed) once its folder
is. What was not synced may be there or not, each by itself; the worst of it is tried.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.store.calls import CREATE, EMPTY, GROW, LINK, MAKE, REMOVE, RENAME, SYNC, WRITE, Call

NONE, NAMES, LAST = "none", "names", "last"
LOSSES = (NONE, NAMES, LAST)
"""What is left of what was not synced: nothing; all names, without their content; of the names only the last that a
file was moved or linked to."""

Places = dict[int, Path]


@dataclass(frozen=True)
class _Change:
    """A change of names in one or two folders (by inode: a folder may be moved later), and how it is taken back."""

    folders: frozenset[int]
    moves: bool
    undo: Callable[[Places], None]


class Unsynced:
    """Follows the changes below `root`; `spare`, a folder of the same file system, keeps what they take away."""

    def __init__(self, root: Path, spare: Path) -> None:
        self.root, self.spare = root, spare
        self._names: list[_Change] = []
        self._dirty: set[int] = set()
        self._count = 0

    def see(self, call: Call) -> None:
        """Take note of a call that is about to be done."""
        path = Path(call.path)
        if call.does in (WRITE, GROW, EMPTY):
            with contextlib.suppress(OSError):
                self._dirty.add(path.stat().st_ino)
        elif call.does == SYNC:
            self._sync(path)
        elif call.does in (CREATE, MAKE, LINK):
            if path.parent.is_dir() and not os.path.lexists(path):
                self._note(path.parent, undo=_remover(path), moves=call.does == LINK)
        elif call.does == REMOVE:
            self._note(path.parent, undo=_putter(path, self._keep(path)))
        elif call.does == RENAME and os.path.lexists(call.source):
            self._moved(Path(call.source), path)

    def _sync(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            inode = path.stat().st_ino
            self._dirty.discard(inode)
            if path.is_dir():
                # A rename between two folders is safe with the one that has the new name.
                self._names = [each for each in self._names if inode not in each.folders]

    def _moved(self, source: Path, target: Path) -> None:
        before = self._keep(target)
        old, new = source.parent.stat().st_ino, target.parent.stat().st_ino

        def undo(places: Places) -> None:
            there, here = places[new] / target.name, places[old] / source.name
            if os.path.lexists(there):
                there.replace(here)
            if before is not None:
                _restore(before, there)

        self._names.append(_Change(frozenset({new}), True, undo))

    def _note(self, folder: Path, *, undo: Callable[[Path], None], moves: bool = False) -> None:
        inode = folder.stat().st_ino
        self._names.append(_Change(frozenset({inode}), moves, lambda places: undo(places[inode])))

    def _keep(self, path: Path) -> Path | None:
        """A second name, out of reach, of what is about to lose its name; an empty folder for a folder."""
        if not os.path.lexists(path):
            return None
        self._count += 1
        kept = self.spare / str(self._count)
        if path.is_dir() and not path.is_symlink():
            kept.mkdir()
        else:
            os.link(path, kept, follow_symlinks=False)
        return kept

    @property
    def pending(self) -> bool:
        """Whether a power cut would take anything."""
        return bool(self._names or self._dirty)

    def lose(self, what: str) -> None:
        """Cut the power: leave below the root what may be left, see `LOSSES`."""
        last = max((at for at, each in enumerate(self._names) if each.moves), default=-1)
        for position in reversed(range(len(self._names))):
            if what == NAMES or (what == LAST and position == last):
                continue
            with contextlib.suppress(KeyError, FileNotFoundError, NotADirectoryError):
                self._names[position].undo(self._places())
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink() and path.stat().st_ino in self._dirty:
                    mode = path.stat().st_mode
                    path.chmod(0o600)
                    os.truncate(path, 0)
                    path.chmod(mode)

    def _places(self) -> Places:
        return {Path(folder).stat().st_ino: Path(folder) for folder, _, _ in os.walk(self.root)}


def _remover(path: Path) -> Callable[[Path], None]:
    def undo(folder: Path) -> None:
        here = folder / path.name
        if here.is_dir() and not here.is_symlink():
            shutil.rmtree(here)
        else:
            here.unlink(missing_ok=True)

    return undo


def _putter(path: Path, kept: Path | None) -> Callable[[Path], None]:
    def undo(folder: Path) -> None:
        if kept is not None:
            _restore(kept, folder / path.name)

    return undo


def _restore(kept: Path, here: Path) -> None:
    if kept.is_dir() and not kept.is_symlink():
        here.mkdir(exist_ok=True)
    else:
        here.unlink(missing_ok=True)
        os.link(kept, here, follow_symlinks=False)
