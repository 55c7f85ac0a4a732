# SPDX-License-Identifier: MIT
"""The product's folder beside a recorded source: what differs, and writing a recorded source back.

Nothing is followed: a symbolic link on the way to a file is refused, so that a source, whoever made it, writes into the
product's folder only. Each file is replaced in one step, all new contents are on the disk before the first is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from orchestrator.canonical import remove_leftovers, sync_folder
from orchestrator.errors import ConfigError
from orchestrator.history.source import LOCK_LIMIT, SourceFile, SourceList
from orchestrator.oci import Store

_TEMPORARY = r"\.pycontainer-([0-9]+)-[0-9]+\.tmp"


@dataclass(frozen=True)
class WorkChange:
    """A file that is not as it was recorded: `modified`, `deleted` or `new`."""

    path: str
    what: str


@dataclass
class Written:
    """What a checkout did: files written, removed, as they were; files whose content the revision does not hold; and
    files of the user's in folders that the product names whole, which belong to no recorded state."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    absent: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def changed_files(listed: SourceList, now: SourceList) -> list[WorkChange]:
    """Return how a product's files now differ from those of a recorded source, sorted by path."""
    before, after = listed.by_path(), now.by_path()
    found = []
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one == other or (one and other and _same(one, other)):
            continue
        if (one or other) and (one is None or one.resolved) and (other is None or other.resolved):
            continue  # pins that builds made, on either side: nobody wrote them
        found.append(WorkChange(path, "new" if one is None else "deleted" if other is None else "modified"))
    return found


def _same(one: SourceFile, other: SourceFile) -> bool:
    return (one.digest, one.target, one.executable) == (other.digest, other.target, other.executable)


def check_out(
    store: Store, listed: SourceList, root: Path, known: Iterable[SourceList] = (), *, force: bool = False
) -> Written:
    """Write a recorded source into a product's folder; returns what was done.

    `known` are sources that may be lost because they are recorded too: a file that is as in one of them, or as in
    `listed`, is replaced or removed. Raises ConfigError, having changed nothing, when others would be overwritten
    (without `force`), or a symbolic link lies on the way.
    """
    known = list(known)
    now = {
        path: file_state(root, path) for path in sorted({file.path for each in (listed, *known) for file in each.files})
    }
    wanted = listed.by_path()
    gone = sorted(path for path, state in now.items() if path not in wanted and state is not None)
    result = Written(foreign=_foreign(root, listed, now))
    refused = []
    for path in [*wanted, *gone]:
        there, target = now[path], wanted.get(path)
        if there is None or (target is not None and _same(there, target)):
            continue
        recorded = (each.by_path().get(path) for each in known)
        if not any(file is not None and _same(there, file) for file in recorded):
            refused.append(path)
    if refused and not force:
        more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
        raise ConfigError(
            "your changes to these files would be lost",
            ", ".join(refused[:5]) + more,
            "build and commit them, move them away, or add --force",
        )
    todo = []
    for path, target in wanted.items():
        there = now[path]
        if there is not None and _same(there, target):
            result.unchanged += 1
        elif target.digest is not None and not target.kept:
            result.absent.append(path)
        else:
            todo.append(target)
    _replace(store, root, todo, gone)
    result.written = [file.path for file in todo]
    result.removed = gone
    return result


def file_state(root: Path, path: str) -> SourceFile | None:
    """Return a file as it lies below `root`, or None; raises ConfigError for a link on the way, or what is no file."""
    folder = root
    for part in PurePosixPath(path).parts[:-1]:
        folder = folder / part
        try:
            state = folder.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(state.st_mode):
            raise ConfigError(
                f"{folder} is a symbolic link", f"{path} would be written where it leads", "remove the link"
            )
    full = root / path
    try:
        state = full.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(state.st_mode):
        return SourceFile(path, target=str(full.readlink()))
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"{full} is not a file", "a file of the product is to be there", "move it away")
    with full.open("rb") as stream:
        digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    return SourceFile(path, digest, state.st_size, bool(state.st_mode & 0o100))


def _foreign(root: Path, listed: SourceList, now: Mapping[str, SourceFile | None]) -> list[str]:
    """Files in the folders that the product names whole which no recorded source has: they will be built in."""
    found = []
    for name in listed.folders:
        for folder, names, files in os.walk(root / name):
            names[:] = sorted(each for each in names if each not in ("__pycache__", ".git", "build", ".pycontainer"))
            for each in sorted(files):
                path = (Path(folder) / each).relative_to(root).as_posix()
                if path not in now:
                    found.append(path)
    return found


def _replace(store: Store, root: Path, files: Iterable[SourceFile], gone: Iterable[str]) -> None:
    """Write new contents beside their names, then rename them all, then remove what is gone."""
    remove_leftovers(root, _TEMPORARY)
    ready: list[tuple[Path, Path]] = []
    try:
        for position, file in enumerate(files):
            temporary = root / f".pycontainer-{os.getpid()}-{position}.tmp"
            ready.append((temporary, root / file.path))
            _write(store, temporary, file)
        folders: set[Path] = set()
        for temporary, target in ready:
            folders |= _make_folder(root, target.parent)
            if target.is_dir() and not target.is_symlink():
                raise ConfigError(f"{target} is a folder", "a file of the product is to be there", "move it away")
            temporary.replace(target)
            folders.add(target.parent)
        for path in gone:
            (root / path).unlink(missing_ok=True)
            folders.add((root / path).parent)
        for folder in sorted(folders):
            if folder.is_dir():
                sync_folder(folder)
        _remove_empty(root, gone)
    finally:
        for temporary, _ in ready:
            temporary.unlink(missing_ok=True)


def _write(store: Store, temporary: Path, file: SourceFile) -> None:
    temporary.unlink(missing_ok=True)
    if file.target is not None:
        temporary.symlink_to(file.target)
        return
    assert file.digest is not None
    data = store.read_blob(file.digest, limit=LOCK_LIMIT)
    descriptor = os.open(
        temporary,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW,
        0o755 if file.executable else 0o644,
    )
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _make_folder(root: Path, folder: Path) -> set[Path]:
    """Make folders down to one, following no link; returns those that got a new one in them."""
    here = root
    changed = set()
    for part in folder.relative_to(root).parts:
        here = here / part
        with contextlib.suppress(FileExistsError):
            here.mkdir()
            changed.add(here.parent)
        if here.is_symlink() or not here.is_dir():
            raise ConfigError(f"{here} is not a folder", "a file of the product is to be in it", "move it away")
    return changed


def _remove_empty(root: Path, gone: Iterable[str]) -> None:
    """Remove the folders that became empty by what was removed."""
    for path in gone:
        for parent in (root / path).parents:
            if parent == root:
                break
            try:
                parent.rmdir()
            except OSError:
                break
