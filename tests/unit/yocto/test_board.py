# SPDX-License-Identifier: MIT
"""What starts a board, as meta-pycontainer deploys it and the orchestrator's image takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pycontainer import board, spdx
from pycontainer.errors import LayerError

from orchestrator.image.board import read_board
from orchestrator.sbom import bitbake

DATA = Path(__file__).parents[2] / "data" / "sbom" / "yocto"


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy"
    for name, data in {
        "bootfiles/start4.elf": b"start", "bootfiles/start4x.elf": b"startx", "bootfiles/pieces.stamp": b"",
        "bootfiles/config.txt": b"enable_uart=1\n", "u-boot-1.bin": b"u-boot", "a.dtb": b"tree", "a.dtbo": b"overlay",
        "spl.img": b"spl",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "u-boot.bin").symlink_to("u-boot-1.bin")
    return folder


def test_files_are_written_as_image_boot_files_are_and_the_image_reads_them(deploy: Path, tmp_path: Path) -> None:
    text = "bootfiles/*.elf bootfiles/config.txt u-boot.bin;kernel8.img a.dtb a.dtbo;overlays/a.dtbo a.d*;copies"
    target = tmp_path / "work" / "board.tar"
    board.write(target, deploy, board.parse_files(text), [], 1)
    found = read_board(target)
    assert found.areas == ()
    assert found.files == {
        "start4.elf": b"start", "start4x.elf": b"startx", "config.txt": b"enable_uart=1\n", "kernel8.img": b"u-boot",
        "a.dtb": b"tree", "overlays/a.dtbo": b"overlay", "copies/a.dtb": b"tree", "copies/a.dtbo": b"overlay",
    }  # fmt: skip
    again = tmp_path / "again.tar"
    board.write(again, deploy, board.parse_files(text), [], 1)
    assert again.read_bytes() == target.read_bytes()


def test_areas_are_places_of_the_disk(deploy: Path, tmp_path: Path) -> None:
    kind = "2e54b353-1271-4842-806f-e436d6af6985"
    areas = board.parse_areas(f"u-boot=u-boot.bin@8192+4096 spl=spl.img@33+4;{kind}")
    board.write(tmp_path / "board.tar", deploy, [], areas, 1)
    found = read_board(tmp_path / "board.tar").areas
    assert [(each.name, each.offset, each.size, each.data) for each in found] == [
        ("spl", 33 * 1024, 4096, b"spl"),
        ("u-boot", 8192 * 1024, 4096 * 1024, b"u-boot"),
    ]
    assert [str(each.type) for each in found] == [kind, "None"]


@pytest.mark.parametrize(
    ("files", "areas", "words"),
    [
        ("gone.bin", "", "gone.bin is not there"),
        ("none*.bin", "", "none"),
        ("a.dtb;../a.dtb", "", "outside"),
        ("a.dtb a.d*", "", "where another file is"),
        ("a.dtb;", "", "PYCONTAINER_BOARD_FILES"),
        ("", "spl=spl.img", "PYCONTAINER_BOARD_AREAS"),
        ("", "spl=gone.img@33+4", "gone.img is not there"),
        ("", "spl=spl.img@33+0", "does not fit"),
    ],
)
def test_what_cannot_be_an_image_is_refused_in_the_recipe(
    deploy: Path, tmp_path: Path, files: str, areas: str, words: str
) -> None:
    with pytest.raises(LayerError) as caught:
        board.write(tmp_path / "b.tar", deploy, board.parse_files(files), board.parse_areas(areas), 1)
    assert words in str(caught.value)


def test_documents_of_recipes_become_one(tmp_path: Path) -> None:
    grub = DATA / "bootloader.spdx.json"
    value: dict[str, Any] = json.loads(grub.read_text().replace("grub-efi", "u-boot"))
    other = tmp_path / "u-boot-recipe-sbom.spdx.json"
    other.write_text(json.dumps(value))
    merged = spdx.merge([grub, other, grub], tmp_path / "both.spdx.json")
    assert [fact.name for fact in bitbake.read(merged).facts.packages] == ["grub-efi", "u-boot"]
    graph = json.loads(merged.read_text())["@graph"]
    blank = {each["@id"] for each in graph if each.get("@id", "").startswith("_:")}
    assert len(blank) == 3
    assert {each["creationInfo"] for each in graph if isinstance(each.get("creationInfo"), str)} <= blank


def test_a_document_of_another_version_is_not_merged(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"@context": "https://spdx.org/rdf/3.1/spdx-context.jsonld", "@graph": []}')
    with pytest.raises(LayerError, match="another version"):
        spdx.merge([DATA / "bootloader.spdx.json", other], tmp_path / "both.json")
    other.write_text("[]")
    with pytest.raises(LayerError, match="no SPDX document"):
        spdx.merge([other], tmp_path / "both.json")
