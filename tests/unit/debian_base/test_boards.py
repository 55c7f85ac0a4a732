# SPDX-License-Identifier: MIT
"""What starts a board: gathered out of packages by the machine's data, and not without its licences being accepted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from debian_make import package
from pycontainer_debian.archives import write_tar
from pycontainer_debian.board import gathered
from pycontainer_debian.contents import Contents
from pycontainer_debian.errors import DebianError
from pycontainer_debian.licences import check_accepted, flag
from pycontainer_debian.lock import Locked
from pycontainer_debian.tree import Tree

from orchestrator.image.board import read_board

LOADER = "usr/lib/u-boot/some-board/loader.img"
PLAN: dict[str, Any] = {
    "files": [
        {"path": "config.txt", "text": "kernel=u-boot.bin\n"},
        {"path": "board.dtb", "source": "usr/lib/linux-image-*/maker/board.dtb"},
    ],
    "areas": [{"name": "loader", "offset-kib": 32, "size-kib": 8, "source": LOADER}],
}


@pytest.fixture
def packages() -> Tree:
    tree = Tree(mtime=1)
    for path, data, origin in (
        (LOADER, b"L" * 5000, "u-boot-some"),
        ("usr/lib/u-boot/some-board/README", b"read", "u-boot-some"),
        ("usr/lib/linux-image-6.12/maker/board.dtb", b"tree", "linux-image-6.12"),
    ):
        tree.file(path, data)
        tree.entries[path].origin = origin
    return tree


def test_the_orchestrator_reads_what_bitbake_gathers(packages: Tree, tmp_path: Path) -> None:
    contents = Contents()
    tree, origins = gathered(packages, PLAN, contents, 1)
    write_tar(tree, tmp_path / "board.tar")
    board = read_board(tmp_path / "board.tar")
    assert dict(board.files) == {"config.txt": b"kernel=u-boot.bin\n", "board.dtb": b"tree"}
    assert [(area.name, area.offset, area.size, area.data) for area in board.areas] == [
        ("loader", 32 * 1024, 8 * 1024, b"L" * 5000)
    ]
    assert origins == {"u-boot-some", "linux-image-6.12"}
    account = json.loads(contents.to_json())
    assert account["owners"] == {"u-boot-some": ["areas/loader"], "linux-image-6.12": ["esp/board.dtb"]}
    assert account["explained"] == {"the recipe's own files": ["esp/config.txt", "plan.json"]}


@pytest.mark.parametrize(
    ("source", "size", "says"),
    [
        ("usr/lib/u-boot/some-board/gone.img", 8, "0 files"),
        ("usr/lib/u-boot/some-board/*", 8, "2 files"),
        (LOADER, 4, "does not fit"),
    ],
)
def test_what_the_packages_have_not_is_named(packages: Tree, source: str, size: int, says: str) -> None:
    area = {**PLAN["areas"][0], "source": source, "size-kib": size}
    with pytest.raises(DebianError, match=says):
        gathered(packages, {"files": [], "areas": [area]}, Contents(), 1)


def locked(name: str, filename: str) -> Locked:
    return replace(Locked.of(package(name)), filename=filename)


FREE = [
    locked("hello", "pool/main/h/hello/hello_1_amd64.deb"),
    locked("libzstd1", "pool/updates/main/libz/libzstd/libzstd1_1_amd64.deb"),
    locked("more", "pool/contrib/m/more/more_1_all.deb"),
]
BLOB = locked("blob", "pool/non-free-firmware/b/blob/blob_1_all.deb")
LATE = locked("late", "pool/updates/non-free-firmware/l/late/late_1_all.deb")


def test_free_packages_need_nobodys_word() -> None:
    check_accepted(FREE, "")


@pytest.mark.parametrize("one", [BLOB, LATE])
@pytest.mark.parametrize("accepted", ["", "non-free-firmware_other", "non-free", "blobs"])
def test_what_is_not_free_is_refused_until_its_licence_is_accepted(one: Locked, accepted: str) -> None:
    with pytest.raises(DebianError, match=f"licence of {one.name} is not accepted") as caught:
        check_accepted([*FREE, one], accepted)
    assert f"PYCONTAINER_LICENSE_FLAGS=non-free-firmware_{one.name}" in caught.value.hint


@pytest.mark.parametrize(
    "accepted", ["non-free-firmware_blob", "non-free-firmware", "commercial non-free-firmware_blob"]
)
def test_a_package_or_a_whole_component_is_accepted(accepted: str) -> None:
    assert flag(BLOB) == "non-free-firmware_blob"
    check_accepted([*FREE, BLOB], accepted)
