# SPDX-License-Identifier: MIT
"""The demo is built once, for real, and shared: BitBake through kas, then the assembling steps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


# What takes minutes, the longest first, so that nothing long is left alone at the end.
LONG = (
    "updates/test_power_cuts.py", "updates/test_broken_boot.py", "powercut", "machines", "test_build.py", "confinement",
    "distributions", "test_mistakes.py", "updates", "image", "images", "device", "test_device.py", "registry",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """When a test's turn is: the long ones, the other ones with real builds and boots, and those that need neither."""
    if HERE not in item.path.parents:
        return len(LONG) + 1
    name = str(item.path.relative_to(HERE))
    return next((place for place, long in enumerate(LONG) if name == long or name.startswith(f"{long}/")), len(LONG))


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def pycontainer(*arguments: str | Path, cwd: Path = REPOSITORY, **environment: str) -> Finished:
    """Run the command line as a user does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYCONTAINER_HOME": str(REPOSITORY)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Product:
    """A copy of the demo with its own keys, built or not."""

    folder: Path
    keys: Path
    machine: str = "qemu-amd64"

    @property
    def environment(self) -> dict[str, str]:
        return {"PYCONTAINER_KEYS": str(self.keys)}

    @property
    def image(self) -> Path:
        return self.folder / "build" / f"demo-{self.machine}.img"

    @property
    def deploy(self) -> Path:
        return self.folder / "build" / f"bitbake-{self.machine}" / "tmp" / "deploy" / "images" / self.machine

    @property
    def lock(self) -> Path:
        return self.folder / "build" / f"bitbake-{self.machine}" / "debian.lock.json"

    def run(self, command: str, *arguments: str | Path, **environment: str) -> Finished:
        return pycontainer(command, self.folder, *arguments, **(self.environment | environment))

    def build(self, *arguments: str, **environment: str) -> Any:
        """Build, which must go well; returns the summary."""
        done = self.run("build", "--json", *arguments, **environment)
        assert done.code == 0, done.out + done.err
        return done.json


def copy_demo(folder: Path, keys: Path, machine: str = Product.machine) -> Product:
    shutil.copytree(
        REPOSITORY / "examples" / "demo", folder, ignore=shutil.ignore_patterns("build", ".pycontainer"), symlinks=True
    )
    file = folder / "pycontainer.yaml"
    file.write_text(file.read_text().replace(f"machine: {Product.machine}", f"machine: {machine}"))
    return Product(folder, keys, machine)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The demo, built once; tests may read it, boot it without --persist, and build it again unchanged."""
    base = tmp_path_factory.mktemp("demo")
    product = copy_demo(base / "product", base / "keys")
    product.build()
    return product


@pytest.fixture(scope="session")
def deploy_dir(demo: Product) -> Path:
    """What BitBake deployed for the demo."""
    return demo.deploy


@pytest.fixture
def sibling(demo: Product, tmp_path: Path) -> Iterator[Product]:
    """A product of its own on the demo's BitBake folder (by a link): building it runs no BitBake."""
    product = copy_demo(tmp_path / "product", demo.keys)
    build = demo.folder / "build"
    shutil.copytree(build, product.folder / "build", ignore=shutil.ignore_patterns("bitbake-*"), symlinks=True)
    (product.folder / "build" / "bitbake-qemu-amd64").symlink_to(build / "bitbake-qemu-amd64")
    shutil.copytree(demo.folder / ".pycontainer", product.folder / ".pycontainer", symlinks=True)
    deployed = (demo.deploy / "pycontainer-deploy.json").read_bytes()
    yield product
    assert (demo.deploy / "pycontainer-deploy.json").read_bytes() == deployed, (
        "the demo's base is not the demo's any more"
    )
