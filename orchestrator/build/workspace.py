# SPDX-License-Identifier: MIT
"""Where a product's build keeps what it makes; one lock, so that two builds in one folder never mix."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import process_lives
from orchestrator.errors import ConfigError, TryAgainError
from orchestrator.product.load import find_product_file
from orchestrator.product.model import Product

LOCK_NAME = "pycontainer.lock"


@dataclass(frozen=True)
class Workspace:
    """The folders of one product for one machine.

    `build/` can be deleted at any time: all of it can be made again. `.pycontainer/` holds the store with its history.
    """

    product_file: Path
    product: str
    machine: str
    first: bool = True
    """Whether it is the product's first or only machine, whose documents have the plain place."""

    @property
    def root(self) -> Path:
        """The folder of the product file."""
        return self.product_file.parent

    @property
    def name(self) -> str:
        """The product's folder as one names it from here."""
        return os.path.relpath(self.root)

    @property
    def build(self) -> Path:
        """Everything that can be made again."""
        return self.root / "build"

    @property
    def bitbake(self) -> Path:
        """BitBake's own build folder."""
        return self.build / f"bitbake-{self.machine}"

    @property
    def deploy(self) -> Path:
        """Where BitBake hands over."""
        return self.bitbake / "tmp" / "deploy" / "images" / self.machine

    @property
    def layers(self) -> Path:
        """Assembled layers, by the digest of their inputs."""
        return self.build / "layers"

    @property
    def images(self) -> Path:
        """Container images that were pulled from registries: an OCI layout."""
        return self.build / "images"

    @property
    def logs(self) -> Path:
        """One log a program that we ran."""
        return self.build / "logs"

    @property
    def sbom(self) -> Path:
        """One SPDX document a layer, for people to open."""
        return self.build / "sbom" if self.first else self.build / "sbom" / self.machine

    @property
    def image(self) -> Path:
        """The flashable image."""
        return self.build / f"{self.product}-{self.machine}.img"

    @property
    def bmap(self) -> Path:
        """The image's block map."""
        return self.image.with_suffix(".img.bmap")

    @property
    def stamp(self) -> Path:
        """What the last build was made of and what it made."""
        return self.build / f"stamp-{self.machine}.json"

    @property
    def running(self) -> Path:
        """How to reach the virtual machine that `pycontainer run` started, while it runs."""
        return self.build / f"run-{self.machine}.json"

    @property
    def store(self) -> Path:
        """The OCI image layout that holds the product's revisions."""
        return self.root / ".pycontainer" / "store"

    @property
    def package_lock(self) -> Path:
        """The lock file in force: the product's own when it has one, else the one that the build wrote."""
        committed = self.root / LOCK_NAME
        return committed if committed.exists() else self.bitbake / "debian.lock.json"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the build folder; raises TryAgainError at once when another command holds it.

        Yields the lock's descriptor: a child that inherits it keeps the folder held even if this process is killed.
        """
        try:
            self.build.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.build / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError as problem:
            raise ConfigError(
                f"cannot write in {self.root}", str(problem), "copy the product to a folder of your own"
            ) from problem
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as problem:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                if holder.isdecimal() and not process_lives(int(holder)):
                    raise TryAgainError(
                        f"a killed build is still ending in {self.build}",
                        f"process {holder} is gone, its BitBake is not yet",
                        "run the same command again in some seconds",
                    ) from problem
                raise TryAgainError(
                    f"another build is running in {self.build}",
                    f"process {holder} holds its lock" if holder else "its lock is held",
                    "wait for it to end, or stop it, and run the same command again",
                ) from problem
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)


def workspace(place: Path, product: Product, machine: str | None = None) -> Workspace:
    """Return the workspace of a loaded product; `machine` overrides the product file's."""
    file = find_product_file(place).resolve()
    chosen = machine or product.machine
    return Workspace(file, product.product, chosen, chosen == product.machine)
