# SPDX-License-Identifier: MIT
"""Disks that fail: at the n-th change of a store an error, the death of the process, or the loss of power."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.oci.files import Files

OPERATIONS = sorted(name for name, _ in inspect.getmembers(Files, inspect.isfunction) if not name.startswith("_"))


class Watched(Files):
    """Calls `step(name, arguments)` before each change."""

    def __init__(self) -> None:
        self.count = 0

    def step(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.count += 1


def _watched(name: str) -> Callable[..., Any]:
    real = getattr(Files, name)

    def call(self: Watched, *arguments: Any) -> Any:
        self.step(name, arguments)
        return real(self, *arguments)

    return call


for _name in OPERATIONS:
    setattr(Watched, _name, _watched(_name))


class Failing(Watched):
    """The n-th change raises an error; a write has written half of its bytes by then. Later changes work."""

    def __init__(self, fail_at: int, number: int) -> None:
        super().__init__()
        self.fail_at = fail_at
        self.number = number
        self.failed = ""

    def step(self, name: str, arguments: tuple[Any, ...]) -> None:
        super().step(name, arguments)
        if self.count == self.fail_at:
            self.failed = name
            if name == "write":
                os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            raise OSError(self.number, os.strerror(self.number))


class Dying(Watched):
    """The process ends without a word before the n-th change, or in the middle of it when it is a write."""

    def __init__(self, die_at: int) -> None:
        super().__init__()
        self.die_at = die_at

    def step(self, name: str, arguments: tuple[Any, ...]) -> None:
        super().step(name, arguments)
        if self.count == self.die_at:
            if name == "write":
                os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            os._exit(77)


class PowerCut(BaseException):
    """The power is off: nothing may run any more, not even the clean-up."""


@dataclass
class _Pending:
    """A change of names that no sync of its folder has made safe yet."""

    folder: Path
    undo: Callable[[], None]


class CuttingPower(Watched):
    """The power fails before the n-th change: content that was not synced is gone, and so are names whose folder was
    not, all but the first `kept` of them (what a file system has written by then is its own choice).
    """

    def __init__(self, cut_at: int, kept: int, spare: Path) -> None:
        super().__init__()
        self.cut_at = cut_at
        self.kept = kept
        self.spare = spare
        self.dirty: set[int] = set()
        self.pending: list[_Pending] = []
        spare.mkdir()

    def step(self, name: str, arguments: tuple[Any, ...]) -> None:
        super().step(name, arguments)
        if self.count >= self.cut_at:
            raise PowerCut
        getattr(self, f"before_{name}", lambda *_: None)(*arguments)

    def _copy(self, path: Path) -> Path | None:
        if not path.exists():
            return None
        copy = self.spare / str(len(list(self.spare.iterdir())))
        os.link(path, copy)
        return copy

    def before_create(self, path: Path, _mode: int) -> None:
        self.pending.append(_Pending(path.parent, lambda: path.unlink(missing_ok=True)))

    def before_make_folder(self, path: Path) -> None:
        if not path.exists():
            self.pending.append(_Pending(path.parent, lambda: shutil.rmtree(path, ignore_errors=True)))

    def before_link(self, _descriptor: int, target: Path) -> None:
        self.pending.append(_Pending(target.parent, lambda: target.unlink(missing_ok=True)))

    def before_unlink(self, path: Path) -> None:
        if copy := self._copy(path):
            self.pending.append(_Pending(path.parent, lambda: _put_back(copy, path)))

    def before_rename(self, source: Path, target: Path) -> None:
        new, old = self._copy(source), self._copy(target)
        assert new is not None

        def undo() -> None:
            _put_back(new, source)
            if old is None:
                target.unlink(missing_ok=True)
            else:
                _put_back(old, target)

        self.pending.append(_Pending(target.parent, undo))

    def before_write(self, descriptor: int, _data: bytes) -> None:
        self.dirty.add(os.fstat(descriptor).st_ino)

    def before_sync(self, descriptor: int) -> None:
        self.dirty.discard(os.fstat(descriptor).st_ino)

    def before_sync_folder(self, folder: Path) -> None:
        self.pending = [change for change in self.pending if change.folder != folder]

    def named(self) -> list[_Pending]:
        """The unsafe changes outside the folder of temporary files, where every name is expendable."""
        return [change for change in self.pending if change.folder.name != ".tmp"]

    def lose(self, root: Path) -> None:
        """Leave on the disk what the power cut leaves."""
        named = self.named()
        lost = set(map(id, named[self.kept :]))
        if self.kept < len(named):
            lost |= {id(change) for change in self.pending if change.folder.name == ".tmp"}
        for change in reversed(self.pending):
            if id(change) in lost:
                change.undo()
        for path in root.rglob("*"):
            if path.is_file() and path.stat().st_ino in self.dirty:
                path.chmod(0o600)
                os.truncate(path, 0)


def _put_back(copy: Path, path: Path) -> None:
    if path.parent.is_dir():
        path.unlink(missing_ok=True)
        os.link(copy, path)
