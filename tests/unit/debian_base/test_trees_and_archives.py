# SPDX-License-Identifier: MIT
from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_debian import compose
from pycontainer_debian.archives import read_tar, write_cpio, write_tar
from pycontainer_debian.disk import extract, from_directory
from pycontainer_debian.errors import DebianError
from pycontainer_debian.tree import Entry, Tree

NAMES = st.lists(st.from_regex(r"[a-z.]{1,3}(/[a-z]{1,3}){0,2}", fullmatch=True), max_size=12)


def sample() -> Tree:
    tree = Tree(mtime=5)
    tree.file("b/two", b"22", 0o640, 3, 4)
    tree.file("a", b"1")
    tree.symlink("b/link", "../a")
    tree.entries["hard"] = tree.entries["a"]
    tree.entries["b/two"].xattrs["user.k"] = b"v"
    tree.entries["dev"] = Entry(stat.S_IFDIR | 0o755, mtime=5)
    tree.entries["dev/console"] = Entry(stat.S_IFCHR | 0o600, mtime=5, device=(5, 1))
    return tree


def test_a_tar_is_sorted_numeric_and_keeps_links_and_attributes(tmp_path: Path) -> None:
    write_tar(sample(), tmp_path / "t.tar")
    with tarfile.open(tmp_path / "t.tar") as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["a", "b", "b/link", "b/two", "dev", "dev/console", "hard"]
    by_name = {m.name: m for m in members}
    assert (by_name["b/two"].uid, by_name["b/two"].gid, by_name["b/two"].uname) == (3, 4, "")
    assert by_name["b/two"].pax_headers["SCHILY.xattr.user.k"] == "v"
    assert by_name["hard"].islnk()
    assert by_name["hard"].linkname == "a"
    assert (by_name["dev/console"].devmajor, by_name["dev/console"].devminor) == (5, 1)


def test_equal_trees_give_equal_bytes_in_whatever_order_they_were_made(tmp_path: Path) -> None:
    one, two = sample(), sample()
    two.entries = dict(reversed(two.entries.items()))
    for name, tree in (("1", one), ("2", two)):
        write_tar(tree, tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_tar_reads_back(tmp_path: Path) -> None:
    write_tar(sample(), tmp_path / "t.tar")
    tree = read_tar(tmp_path / "t.tar")
    assert tree.entries["b/two"].content.read() == b"22"
    assert tree.entries["hard"] is tree.entries["a"]
    assert tree.entries["b/link"].target == "../a"
    write_tar(tree, tmp_path / "again.tar")
    assert b"SCHILY.xattr" in (tmp_path / "t.tar").read_bytes()


def cpio(tree: Tree) -> bytes:
    stream = io.BytesIO()
    write_cpio(tree, stream)
    return stream.getvalue()


def test_a_cpio_begins_with_the_newc_magic_and_ends_with_the_trailer() -> None:
    data = cpio(sample())
    assert data.startswith(b"070701")
    assert b"TRAILER!!!\0" in data[-128:]
    assert len(data) % 4 == 0


def test_a_cpio_holds_the_console_device() -> None:
    data = cpio(sample())
    header = data[data.index(b"dev/console\0") - 110 :]
    assert int(header[14:22], 16) == stat.S_IFCHR | 0o600
    assert (int(header[78:86], 16), int(header[86:94], 16)) == (5, 1)


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio on this machine")
def test_the_cpio_program_reads_what_was_written() -> None:
    done = subprocess.run(["cpio", "-tv", "--quiet"], input=cpio(sample()), capture_output=True, check=True)
    listed = done.stdout.decode().splitlines()
    assert [line.split()[-1] for line in listed if "->" not in line] == [
        "a",
        "b",
        "b/two",
        "dev",
        "dev/console",
        "hard",
    ]


@given(NAMES)
def test_any_tree_is_written_in_path_order_parents_first(names: list[str]) -> None:
    tree = Tree()
    for name in names:
        try:
            tree.file(name, name.encode())
        except DebianError:
            continue
    paths = [path for path, _ in tree.items()]
    assert all(path.rpartition("/")[0] in ("", *paths[:at]) for at, path in enumerate(paths))


def test_extracting_and_reading_back_gives_the_same_tree(tmp_path: Path) -> None:
    tree = sample()
    for entry in tree.entries.values():
        entry.uid, entry.gid, entry.xattrs = os.getuid(), os.getgid(), {}
    del tree.entries["dev/console"]
    extract(tree, tmp_path / "out")
    write_tar(tree, tmp_path / "1")
    write_tar(from_directory(tmp_path / "out"), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert (tmp_path / "out/hard").stat().st_ino == (tmp_path / "out/a").stat().st_ino


def test_labels_of_this_machine_are_not_part_of_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    here = {
        "security.selinux": b"label",
        "security.capability": b"cap",
        "user.note": b"kept",
        "trusted.overlay.x": b"y",
    }
    monkeypatch.setattr(os, "listxattr", lambda _path, follow_symlinks: list(here))
    monkeypatch.setattr(os, "getxattr", lambda _path, name, follow_symlinks: here[name])
    assert from_directory(tmp_path).entries["file"].xattrs == {"security.capability": b"cap", "user.note": b"kept"}


def test_extracting_never_follows_a_link_that_lies_in_the_target(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        extract(sample(), tmp_path / "out")
    assert not (tmp_path / "victim").exists()


def test_a_circle_of_links_is_refused() -> None:
    tree = Tree()
    tree.symlink("a", "b")
    tree.symlink("b", "a")
    with pytest.raises(DebianError, match="circle"):
        tree.canonical("a/x")
    assert tree.lookup("a") is None


def test_stripping_keeps_what_an_exclamation_mark_names_and_its_folders() -> None:
    tree = Tree()
    for path in ("usr/share/doc/x", "usr/share/man/y", "usr/share/keep/z", "usr/bin/tool"):
        tree.file(path, b"")
    tree.strip(["usr/share*", "!usr/share/keep/*"])
    assert [path for path, _ in tree.items()] == [
        "usr",
        "usr/bin",
        "usr/bin/tool",
        "usr/share",
        "usr/share/keep",
        "usr/share/keep/z",
    ]


def test_times_after_the_epoch_are_brought_down_and_earlier_ones_stay() -> None:
    tree = Tree()
    tree.file("old", b"")
    tree.entries["new"] = Entry(stat.S_IFREG | 0o644, mtime=100)
    tree.clamp(50)
    assert (tree.entries["old"].mtime, tree.entries["new"].mtime) == (0, 50)


def test_a_recipes_files_and_folders_get_mode_and_owner(tmp_path: Path) -> None:
    (tmp_path / "conf").write_bytes(b"c")
    tree = Tree(merged_usr=True)
    compose.folders(tree, ["/tmp:1777", "/srv/data:0750:33:34"])
    compose.files(tree, ["conf=/lib/conf:0600:1"], tmp_path)
    compose.links(tree, ["/etc/mtab=/proc/mounts"])
    assert stat.S_IMODE(tree.entries["tmp"].mode) == 0o1777
    assert (tree.entries["srv/data"].uid, tree.entries["srv/data"].gid) == (33, 34)
    assert (tree.entries["usr/lib/conf"].mode, tree.entries["usr/lib/conf"].uid) == (stat.S_IFREG | 0o600, 1)
    assert tree.entries["etc/mtab"].target == "/proc/mounts"


@pytest.mark.parametrize("word", ["x=/y", "conf", "conf=y", "conf=/y:9", "conf=/y:1:2:3:4"])
def test_a_recipes_mistake_in_a_file_entry_is_named(tmp_path: Path, word: str) -> None:
    (tmp_path / "conf").write_bytes(b"")
    with pytest.raises(DebianError, match=r"is not /path|names no file"):
        compose.files(Tree(), [word], tmp_path)
