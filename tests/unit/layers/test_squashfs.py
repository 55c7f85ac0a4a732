# SPDX-License-Identifier: MIT
"""A packed tree is what the tree says, entry by entry, and the same bytes whenever and wherever it is packed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.canonical import hash_file
from orchestrator.errors import BuildError
from orchestrator.layers.nodes import BytesContent, Device, Directory, Fifo, File, FileContent, Symlink
from orchestrator.layers.squashfs import SquashFS
from orchestrator.layers.tree import Tree
from orchestrator.run import Tools

EPOCH = 1_700_000_000
LONG = b"l" * 120
TARGET = b"../../" + b"t" * 150


@pytest.fixture
def tree(tmp_path) -> Tree:
    (tmp_path / "big").write_bytes(os.urandom(1000) + bytes(400_000) + b"end")
    tree = Tree()
    tree.root.mode = 0o1751
    tree.add(
        b"bin/tool",
        File(
            mode=0o4755,
            uid=70_000,
            gid=4_000_000_000,
            mtime=0,
            content=BytesContent(b"tool"),
            xattrs={b"security.capability": b"\1\0\0\2\0\4\0\0" + bytes(12), b"user.empty": b""},
        ),
    )
    tree.link(b"bin/zz-alias", b"bin/tool")
    tree.add(b"bin/big", node_of(tmp_path / "big"))
    tree.add(b"long/" + LONG + b"/" + LONG, File(mode=0o600, mtime=1_600_000_000, content=BytesContent(b"")))
    tree.add(b"long/link", Symlink(mode=0o777, target=TARGET))
    tree.link(b"long/link2", b"long/link")
    tree.add(b"odd \xff\nname", File(mode=0, content=BytesContent(b"x")))
    tree.add(b"dev/sda", Device(mode=0o660, block=True, major=259, minor=17))
    tree.add(b"dev/tty", Device(mode=0o666, block=False, major=5, minor=0))
    tree.add(b"run/pipe", Fifo(mode=0o622))
    tree.add(b"tmp", Directory(mode=0o1777, mtime=2**31))
    return tree


def node_of(path: Path) -> File:
    return File(mode=0o644, content=FileContent(path, path.stat().st_size))


def listing(image: Path) -> dict[str, list[str]]:
    shown = subprocess.run(
        ["unsquashfs", "-lln", image], capture_output=True, check=True, env=os.environ | {"TZ": "UTC"}
    )
    found = {}
    for line in shown.stdout.decode("utf-8", "backslashreplace").splitlines():
        head, mark, name = line.partition("squashfs-root")
        if mark:
            found[name.lstrip("/")] = head.split()
    return found


def test_every_entry_has_its_kind_mode_owner_and_time(tree, around, tmp_path):
    image = tmp_path / "i.squashfs"
    SquashFS().pack(tree, image, around.tools, EPOCH)
    found = listing(image)
    assert found[""][0] == "drwxr-x--t"
    assert found["bin/tool"] == ["-rwsr-xr-x", "70000/4000000000", "4", "1970-01-01", "00:00"]
    assert found["bin/zz-alias"] == found["bin/tool"]
    assert found[f"long/{LONG.decode()}/{LONG.decode()}"] == ["-rw-------", "0/0", "0", "2020-09-13", "12:26"]
    assert found[f"long/link -> {TARGET.decode()}"][0] == "lrwxrwxrwx"
    assert found[f"long/link2 -> {TARGET.decode()}"][0] == "lrwxrwxrwx"
    assert "".join(found["dev/sda"]).startswith("brw-rw----0/0259,17")
    assert found["dev/tty"][0] == "crw-rw-rw-"
    assert found["run/pipe"][0] == "prw--w--w-"
    assert found["tmp"][0] == "drwxrwxrwt"
    assert found["tmp"][3] == "2023-11-14", "no time is later than SOURCE_DATE_EPOCH"
    facts = subprocess.run(["unsquashfs", "-s", image], capture_output=True, text=True, check=True).stdout
    assert "Number of xattr ids 1" in facts
    assert "not exportable" in facts
    assert "Compression zstd" in facts
    expected = len(list(tree.walk())) + 1 - 2  # the root; two further names share their entries
    assert f"Number of inodes {expected}" in facts


def test_content_comes_out_as_it_went_in(tree, around, tmp_path):
    image = tmp_path / "i.squashfs"
    SquashFS(level=1).pack(tree, image, around.tools, EPOCH)
    subprocess.run(
        ["unsquashfs", "-q", "-n", "-no-xattrs", "-d", tmp_path / "out", image, "bin", "odd*"],
        capture_output=True,
        check=True,
    )
    assert (tmp_path / "out/bin/big").read_bytes() == (tmp_path / "big").read_bytes()
    assert (tmp_path / "out/bin/zz-alias").read_bytes() == b"tool"
    assert (tmp_path / "out/bin/zz-alias").stat().st_ino == (tmp_path / "out/bin/tool").stat().st_ino
    assert {os.fsencode(path.name) for path in (tmp_path / "out").iterdir()} == {b"bin", b"odd \xff\nname"}


def test_an_empty_tree_packs(around, tmp_path):
    SquashFS().pack(Tree(), tmp_path / "e.squashfs", around.tools, EPOCH)
    assert list(listing(tmp_path / "e.squashfs")) == [""]


def test_a_failure_leaves_neither_image_nor_temporary_file(around, tmp_path):
    tree = Tree()
    tree.add(b"gone", File(mode=0o644, content=FileContent(tmp_path / "missing", 5)))
    with pytest.raises(BuildError, match="missing cannot be read"):
        SquashFS().pack(tree, tmp_path / "out" / "i.squashfs", around.tools, EPOCH)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_shrinks_while_it_is_packed_is_an_error(around, tmp_path):
    (tmp_path / "short").write_bytes(b"12")
    tree = Tree()
    tree.add(b"short", File(mode=0o644, content=FileContent(tmp_path / "short", 5)))
    with pytest.raises(BuildError, match="became shorter"):
        SquashFS().pack(tree, tmp_path / "i.squashfs", around.tools, EPOCH)


def test_a_packer_that_fails_is_reported_and_does_not_hang(around, tmp_path):
    tree = Tree()
    tree.add(b"large", File(mode=0o644, content=BytesContent(bytes(3_000_000))))
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "mksquashfs").write_text("#!/bin/sh\necho no such option >&2\nexit 3\n")
    (fake / "mksquashfs").chmod(0o755)
    with pytest.raises(BuildError, match="no such option"):
        SquashFS().pack(tree, tmp_path / "i.squashfs", Tools(fake), EPOCH)


def test_a_clock_before_the_epoch_is_reported(around, tmp_path):
    with pytest.raises(BuildError, match="clock"):
        SquashFS().pack(Tree(), tmp_path / "i.squashfs", around.tools, 2**40)


SCRIPT = """
import os, sys
from pathlib import Path
from orchestrator.layers.inputs import DirectorySource
from orchestrator.layers.squashfs import SquashFS
from orchestrator.layers.tree import Limits
from orchestrator.run import Tools
here = Path(sys.argv[1])
os.umask(int(sys.argv[2], 8))
(here / "src/sub").mkdir(parents=True)
for name in ("b", "a", "sub/c"):
    (here / "src" / name).write_text(name * 5000)
(here / "src/run.sh").write_text("#!")
(here / "src/run.sh").chmod(0o777 & ~int(sys.argv[2], 8))
(here / "src/soft").symlink_to("a")
tree = DirectorySource(here / "src").load(here, Limits(), 1_700_000_000).tree
SquashFS().pack(tree, here / "i.squashfs", Tools(), 1_700_000_000)
"""


def test_the_same_checkout_gives_the_same_bytes_under_any_folder_umask_and_hash_seed(around, tmp_path):
    digests = set()
    for index, umask in enumerate(("022", "077", "002")):
        folder = tmp_path / f"folder-{'x' * index}"
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", SCRIPT, folder, umask],
            check=True,
            env=os.environ | {"PYTHONHASHSEED": str(index), "SOURCE_DATE_EPOCH": "5", "TZ": f"X{index}"},
        )
        digests.add(hash_file(folder / "i.squashfs"))
    assert len(digests) == 1
