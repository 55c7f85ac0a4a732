# SPDX-License-Identifier: MIT
"""From a request to pinned packages: out of the lock, or resolved once against verified indexes and added to it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .archive import MAIN, Indexes, Mirror, indexes, served
from .errors import DebianError
from .lock import RENEW, Lock, Locked, held, read_lock, write_lock
from .resolve import Request, resolve
from .universe import StoredUniverse


@dataclass(frozen=True)
class Pinning:
    """How a build pins packages.

    `lock` is the product's lock file, `index_folder` where indexes are kept. With `update`, the lock is neither read
    nor touched: everything is resolved anew into the file beside it whose name ends in `.new`.
    """

    suite: str
    lock: Path
    index_folder: Path
    mirror: Mirror | None
    update: bool = False
    components: tuple[str, ...] = MAIN

    @property
    def target(self) -> Path:
        """The lock file that this build reads and writes."""
        return self.lock.with_name(self.lock.name + ".new") if self.update else self.lock

    def begin(self) -> None:
        """Start an update from nothing and from fresh indexes; without `update` this does nothing."""
        if self.update:
            self.target.unlink(missing_ok=True)

    def pinned(self, request: Request) -> list[Locked]:
        """Return the pinned packages of a request, sorted by name; raises DebianError when they cannot be had."""
        lock = read_lock(self.target, self.suite)
        found = lock.find(request) if lock else None
        if found is not None:
            return found
        with self._changing(request.architecture) as (lock, known):
            found = lock.find(request)
            if found is not None:
                return found
            universe = StoredUniverse(known.universe)
            try:
                lock.add(request, resolve(universe, request))
            finally:
                universe.close()
            write_lock(self.target, lock)
            return lock.find(request) or []

    def source_date_epoch(self, architecture: str) -> int:
        """Return the lock's date in seconds since 1970; begins the lock when there is none."""
        lock = read_lock(self.target, self.suite)
        if lock is None:
            with self._changing(architecture) as (lock, _):
                if not self.target.exists():
                    write_lock(self.target, lock)
        return lock.source_date_epoch

    @contextlib.contextmanager
    def _changing(self, architecture: str) -> Iterator[tuple[Lock, Indexes]]:
        if self.mirror is None:
            raise DebianError(
                "Debian packages are not pinned yet, and the network is switched off",
                f"the lock file {self.target} does not name what this recipe asks for (BB_NO_NETWORK=1)",
                "build once with the network, which writes the lock and fills DL_DIR; or use the lock of that build",
            )
        with held(self.target.parent), held(self.index_folder):
            lock = read_lock(self.target, self.suite)
            fresh = self.update and lock is None
            known = indexes(self.mirror, self.suite, architecture, self.index_folder, fresh, components=self.components)
            yield lock or Lock(self.suite, known.date, known.releases), known


def gone(locked: Locked) -> DebianError:
    """The error for a pinned package that the mirror no longer has, though it answers."""
    return DebianError(
        f"the mirror no longer serves {locked.name} {locked.version}, which the lock file pins",
        "an ordinary Debian mirror keeps only the newest version of a package",
        f"{RENEW}; or use a mirror that keeps old versions, or the DL_DIR of a build that has them",
    )


def not_downloaded(
    locked: Locked, base: str, suite: str, why: str, served: Callable[[str], bool] = served
) -> DebianError:
    """The error for a pinned package that could not be downloaded: damaged, gone from the mirror, or out of reach."""
    if served(f"{base}/{locked.filename}"):
        return DebianError(
            f"the mirror's {locked.name} {locked.version} is not the file that the lock pins",
            f"its SHA-256 is not {locked.sha256}",
            f"try again, or use another mirror (PYCONTAINER_DEBIAN_MIRROR); if the lock is wrong, {RENEW}",
        )
    if served(f"{base}/dists/{suite}/InRelease"):
        return gone(locked)
    return DebianError(
        f"the package {locked.name} {locked.version} cannot be downloaded",
        f"the mirror {base} does not answer: {why}",
        "check the network, or set PYCONTAINER_DEBIAN_MIRROR to a mirror that can be reached",
    )
