# SPDX-License-Identifier: MIT
"""A folder with a root file system is taken as it lies; one that was unpacked without root belongs to root."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.inputs import DirectorySource, RootSource, folder_source
from orchestrator.layers.nodes import Device, Fifo, File, Symlink
from orchestrator.layers.squashfs import SquashFS
from orchestrator.layers.tree import Limits, Tree
from orchestrator.run import Tools

ODD = b"\xff\nodd"
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away, and makes devices")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/su").write_text("su")
    (folder / "bin/su").chmod(0o4751)
    (folder / "bin/also").hardlink_to(folder / "bin/su")
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    (folder / "lib").symlink_to("/usr/lib")
    os.mkfifo(folder / "pipe", 0o620)
    (folder / os.fsdecode(ODD)).write_text("odd")
    os.utime(folder / os.fsdecode(ODD), (5, 7))
    return folder


def load(folder: Path, **limits: int) -> Tree:
    return RootSource(folder).load(folder.parent / "work", Limits(**limits), 99).tree


def test_it_is_taken_as_it_lies(root: Path):
    tree = load(root)
    assert [path for path, _ in tree.walk()] == [b"bin", b"bin/also", b"bin/su", b"lib", b"pipe", b"tmp", ODD]
    assert tree.get(b"bin/su") is tree.get(b"bin/also")
    modes = {path: node.mode for path, node in tree.walk()}
    assert (modes[b"bin/su"], modes[b"tmp"], modes[b"pipe"] & 0o700) == (0o4751, 0o1777, 0o600)
    assert isinstance(tree.get(b"pipe"), Fifo)
    link = tree.get(b"lib", follow=False)
    assert isinstance(link, Symlink) and link.target == b"/usr/lib"
    odd = tree.get(ODD)
    assert isinstance(odd, File) and odd.mtime == 7 and b"".join(odd.content.chunks()) == b"odd"
    assert tree.notes == []


def test_times_after_the_builds_are_the_builds(root: Path):
    assert {node.mtime for path, node in load(root).walk() if path != ODD} == {99}


def test_what_nobody_gave_to_root_is_roots(root: Path):
    if os.geteuid() == 0:
        for path in (root, *root.rglob("*")):
            os.chown(path, 1000, 1001, follow_symlinks=False)
        (root / "bin/su").chmod(0o4751)  # which chown(2) had taken away
    assert {(node.uid, node.gid) for _, node in load(root).walk()} == {(0, 0)}


@as_root
def test_owners_are_kept_where_something_is_roots(root: Path):
    os.chown(root, 1000, 1000)  # made by a user, unpacked by root
    os.chown(root / "tmp", 1000, 1001)
    os.chown(root / "pipe", 70_000, 5)
    found = {path: (node.uid, node.gid) for path, node in load(root).walk()}
    assert (found[b"tmp"], found[b"pipe"], found[b"bin/su"]) == ((1000, 1001), (70_000, 5), (0, 0))


@as_root
def test_devices_are_kept(root: Path):
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    null = load(root).get(b"null")
    assert isinstance(null, Device) and (null.block, null.major, null.minor) == (False, 1, 3)


def test_attributes_of_files_are_kept_and_those_of_this_machine_are_not(root: Path):
    try:
        os.setxattr(root / "bin/su", "user.word", b"\0\xff")
        if os.geteuid() == 0:
            os.setxattr(root / "bin/su", "security.capability", CAPABILITY)
            os.setxattr(root / "bin/su", "trusted.overlay.x", b"y")
    except OSError:
        pytest.skip("the file system of the tests has no attributes")
    tree = load(root)
    node = tree.get(b"bin/su")
    assert node is not None
    expected = {b"user.word": b"\0\xff"} | ({b"security.capability": CAPABILITY} if os.geteuid() == 0 else {})
    assert dict(node.xattrs) == expected
    said = ["extended attributes trusted.overlay.x are left out: they are this machine's"]
    assert tree.notes == (said if os.geteuid() == 0 else [])


def test_sockets_are_left_out_and_it_is_said(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(root)  # the path of a socket has 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("control")
        tree = load(root)
    assert tree.get(b"control") is None
    assert tree.notes == ["sockets are left out: whoever listens on one makes it"]


def test_what_is_mounted_in_it_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch):
    (root / "proc/1").mkdir(parents=True)
    real = os.lstat

    def lstat(path: bytes) -> os.stat_result:
        found = real(path)
        if os.fsencode(path).endswith((b"/proc", b"/lib")):
            fields = list(found)
            fields[2] += 1
            return os.stat_result(fields)
        return found

    monkeypatch.setattr(os, "lstat", lstat)
    tree = load(root)
    assert tree.get(b"proc") is not None and tree.get(b"proc/1") is None
    assert tree.get(b"lib", follow=False) is None
    assert tree.notes == ["what is mounted at /lib is left out", "what is mounted at /proc is left out"]


def test_its_digest_sees_all_that_is_taken(root: Path):
    seen = [RootSource(root).digest()]
    assert RootSource(root).digest() == seen[0]
    changes = [
        lambda: (root / "bin/su").chmod(0o755),
        lambda: (root / os.fsdecode(ODD)).write_text("new"),
        lambda: os.utime(root / os.fsdecode(ODD), (5, 8)),
        lambda: (root / "bin/also").unlink(),
        lambda: (root / "bin/also").write_text("su"),
        lambda: (root / "lib").unlink(),
        lambda: (root / "lib").symlink_to("/lib64"),
        lambda: (root / "pipe").chmod(0o666),
    ]
    if os.geteuid() == 0:
        changes.append(lambda: os.chown(root / "tmp", 3, 4))
    for change in changes:
        change()
        seen.append(RootSource(root).digest())
    assert len(set(seen)) == len(seen)


def test_a_linked_file_counts_once_and_the_limits_hold(root: Path):
    with pytest.raises(VerificationError, match="too many files"):
        load(root, entries=4)
    with pytest.raises(VerificationError, match="too large"):
        load(root, size=4)
    assert load(root, size=5).get(b"bin/also") is not None  # 2 bytes under two names, and 3 more


def test_the_image_of_it_has_the_same_files(root: Path, tmp_path: Path):
    SquashFS(level=1).pack(load(root), tmp_path / "image", Tools(), 1_700_000_000)
    shown = subprocess.run(["unsquashfs", "-lln", tmp_path / "image"], check=True, capture_output=True).stdout
    lines = {line.split()[-1]: line.split() for line in shown.splitlines() if b"squashfs-root/" in line}
    own = b"0/0" if os.geteuid() == 0 else lines[b"squashfs-root/bin"][1]
    assert lines[b"squashfs-root/bin/su"][:2] == [b"-rwsr-x--x", own]
    assert lines[b"squashfs-root/tmp"][0] == b"drwxrwxrwt"


def test_only_a_rootfs_is_read_so_and_an_app_says_what_it_loses(root: Path):
    assert isinstance(folder_source(root, "rootfs"), RootSource)
    app = folder_source(root, "app")
    assert isinstance(app, DirectorySource)
    (root / "pipe").unlink()
    tree = app.load(root.parent / "work", Limits(), 99).tree
    assert {node.mode for _, node in tree.walk()} == {0o755, 0o644, 0o777}
    assert tree.notes == ["the setuid and setgid bits of bin/also and 1 more are not kept: bring them in a tar"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    for act in (RootSource(tmp_path / "none").digest, lambda: load(tmp_path / "none")):
        with pytest.raises(ConfigError, match="none cannot be read"):
            act()
