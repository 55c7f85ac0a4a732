# SPDX-License-Identifier: MIT
"""Imports point one way: from the command line down to the errors, and never between BitBake's side and ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "orchestrator"
DEBIAN = ROOT / "meta-pycontainer-debian"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("apps",),
    ("build",),
    ("report",),
    ("cve",),
    ("remotes",),
    ("history",),
    ("compliance",),
    ("layers", "image", "emulator", "device", "sbom", "compose"),
    ("publish",),
    ("bundle",),
    ("trust",),
    ("revision",),
    ("registry",),
    ("delta",),
    ("oci",),
    ("product", "deploy", "machines"),
    ("run", "canonical", "progress"),
    ("errors", "text"),
)
"""The rooms of the package, from the top down: each imports from floors below its own, never from neighbours."""

BASE_LIBRARIES = ("bb", "pycontainer_bitbake", "pycontainer_debian")


def imported(source: str, package: str) -> Iterator[str]:
    """Yield the dotted names that a module of `package` imports, wherever in it; relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
            name = base if node.level else node.module or ""
            yield from (f"{name}.{alias.name}" for alias in node.names)


def floor_of(room: str) -> int:
    found = [level for level, rooms in enumerate(FLOORS) if room in rooms]
    assert found, f"the room orchestrator.{room} stands on no floor; enter it into FLOORS"
    return found[0]


def wrong_imports(room: str, source: str, package: str) -> list[str]:
    """Return what a module of a room imports of the package and may not; the package's own names are free to all."""
    wrong = []
    for name in imported(source, package):
        first, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        is_room = target != "" and ((PACKAGE / target).is_dir() or (PACKAGE / f"{target}.py").is_file())
        if first == "orchestrator" and is_room and target != room and floor_of(target) <= floor_of(room):
            wrong.append(name)
    return wrong


def modules(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, f"no Python module in {folder}"
    return found


def names_of(path: Path) -> list[str]:
    return list(imported(path.read_text(), ".".join(path.relative_to(ROOT).parent.parts)))


@pytest.mark.parametrize("path", modules(PACKAGE), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_floors_below(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    room = "" if parts[1] == "__init__" else parts[1]
    package = ".".join(parts[:-1])
    if not room:
        assert not [name for name in imported(path.read_text(), package) if name.startswith("orchestrator")]
        return
    assert wrong_imports(room, path.read_text(), package) == []


def test_no_room_is_named_twice_or_gone() -> None:
    rooms = [room for floor in FLOORS for room in floor]
    assert len(rooms) == len(set(rooms))
    here = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert here - {"__init__"} == set(rooms)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("oci", "import orchestrator.build.pipeline"),
        ("oci", "from orchestrator.trust import sign"),
        ("oci", "from orchestrator import trust"),
        ("oci", "from ..trust import sign"),
        ("oci", "from .. import trust"),
        ("oci", "def late():\n    from orchestrator.cli.main import main"),
        ("image", "from orchestrator.layers.verity import digest"),
    ],
)
def test_an_import_against_the_way_is_found_however_it_is_written(room: str, source: str) -> None:
    assert wrong_imports(room, source, f"orchestrator.{room}")


@pytest.mark.parametrize(
    "source", ["from . import blobs", "from orchestrator import __version__", "from ..errors import X"]
)
def test_an_import_along_the_way_is_free(source: str) -> None:
    assert wrong_imports("oci", source, "orchestrator.oci") == []


def test_neither_side_of_the_deploy_contract_imports_the_other() -> None:
    for path in modules(PACKAGE):
        assert not [name for name in names_of(path) if name.split(".")[0] in BASE_LIBRARIES], path
    for path in modules(DEBIAN):
        assert not [name for name in names_of(path) if name.split(".")[0] == "orchestrator"], path


def test_each_module_names_its_licence_and_only_gpl_ones_import_bitbake() -> None:
    for path in [*modules(PACKAGE), *modules(DEBIAN), *modules(ROOT / "bench"), *modules(ROOT / "tests")]:
        lines = path.read_text().splitlines()[:2]
        first = next((line for line in lines if not line.startswith("#!")), "")
        assert first in ("# SPDX-License-Identifier: MIT", "# SPDX-License-Identifier: GPL-2.0-only"), path
        if [name for name in names_of(path) if name.split(".")[0] == "bb"]:
            assert first.endswith("GPL-2.0-only"), f"{path} imports BitBake, which is GPL-2.0-only"
