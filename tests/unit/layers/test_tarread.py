# SPDX-License-Identifier: MIT
"""Foreign tars are read byte for byte, or refused; nothing is ever extracted."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import PyContainerError, VerificationError
from orchestrator.layers.nodes import Device, Directory, Fifo, File, Symlink
from orchestrator.layers.tarread import entry_name, read_tar
from orchestrator.layers.tarwrite import write_tar
from orchestrator.layers.tree import Limits, Tree


def make(path: Path, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], fmt: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=fmt, encoding="utf-8", errors="surrogateescape") as archive:
        for member in members:
            info, data = member if isinstance(member, tuple) else (member, b"")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, **more) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def load(path: Path, limits: Limits | None = None) -> Tree:
    tree = Tree(limits)
    read_tar(path, tree)
    return tree


def content(node: object) -> bytes:
    assert isinstance(node, File)
    return b"".join(node.content.chunks())


@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_kind_of_entry_is_read_in_every_format(tmp_path, fmt):
    tree = load(
        make(
            tmp_path / "t.tar",
            entry("./", tarfile.DIRTYPE, mode=0o751, uid=3),
            entry("./usr/bin", tarfile.DIRTYPE, mode=0o755),
            (entry("usr/bin/tool", mode=0o4755, uid=1, gid=2, mtime=99), b"program"),
            entry("usr/bin/alias", tarfile.LNKTYPE, linkname="./usr/bin/tool"),
            entry("bin", tarfile.SYMTYPE, linkname="usr/bin"),
            entry("dev/null", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3),
            entry("dev/sda", tarfile.BLKTYPE, mode=0o660, devmajor=8, devminor=300),
            entry("run/pipe", tarfile.FIFOTYPE, mode=0o600),
            fmt=fmt,
        )
    )
    assert (tree.root.mode, tree.root.uid) == (0o751, 3)
    tool = tree.get(b"bin/tool")
    assert content(tool) == b"program"
    assert (tool.mode, tool.uid, tool.gid, tool.mtime) == (0o4755, 1, 2, 99)
    assert tree.get(b"usr/bin/alias") is tool
    assert tree.get(b"bin", follow=False).target == b"usr/bin"
    null, disk = tree.get(b"dev/null"), tree.get(b"dev/sda")
    assert isinstance(null, Device) and (null.block, null.major, null.minor) == (False, 1, 3)
    assert isinstance(disk, Device) and (disk.block, disk.major, disk.minor) == (True, 8, 300)
    assert isinstance(tree.get(b"run/pipe"), Fifo)


@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_odd_and_undecodable_names_survive_byte_for_byte(tmp_path, fmt):
    names = ["d/" + "x" * 250, "/".join(["deep"] * 100), "line\nbreak", "bad\udcff\udcfe", "späße"]
    tree = load(
        make(
            tmp_path / "t.tar",
            *[(entry(name), b"1") for name in names],
            entry("soft", tarfile.SYMTYPE, linkname="../" * 60 + "t" * 120),
            fmt=fmt,
        )
    )
    for name in names:
        assert content(tree.get(os.fsencode(name))) == b"1"
    assert tree.get(b"soft", follow=False).target == b"../" * 60 + b"t" * 120


def test_large_owners_and_odd_times_are_clamped_or_kept(tmp_path):
    for fmt in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        tree = load(
            make(
                tmp_path / "t.tar",
                (entry("a", uid=4_000_000_000, gid=70_000, mtime=2**33), b""),
                entry("b", mtime=-5),
                entry("c", mtime=0),
                fmt=fmt,
            )
        )
        node = tree.get(b"a")
        assert (node.uid, node.gid, node.mtime) == (4_000_000_000, 70_000, 2**32 - 1)
        assert [tree.get(name).mtime for name in (b"b", b"c")] == [0, 0]


def test_capabilities_and_user_attributes_are_kept_and_others_noted(tmp_path):
    info = entry("ping")
    info.pax_headers = {
        "SCHILY.xattr.security.capability": "\x01\udc80\x00=\n",
        "SCHILY.xattr.user.empty": "",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "LIBARCHIVE.xattr.user.b%20c": "aGk",
        "SCHILY.acl.access": "user::rw-",
        "RHT.security.selinux": "x",
    }
    tree = load(make(tmp_path / "t.tar", info))
    assert tree.get(b"ping").xattrs == {
        b"security.capability": b"\x01\x80\x00=\n",
        b"user.empty": b"",
        b"user.b c": b"hi",
    }
    assert len(tree.notes) == 2
    assert any("trusted.overlay.opaque" in note for note in tree.notes)


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=pax", "--sparse-version=0.0"],
        ["--format=pax", "--sparse-version=0.1"],
        ["--format=pax", "--sparse-version=1.0"],
    ],
)
@pytest.mark.parametrize("extents", [1, 3, 40])
def test_sparse_files_written_by_gnu_tar_keep_their_holes(tmp_path, options, extents):
    if shutil.which("tar") is None:
        pytest.skip("GNU tar is not installed")
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        for index in range(extents):
            stream.seek((index * 2 + 1) * 65536)
            stream.write(bytes([index + 1]) * 5000)
        stream.truncate(extents * 2 * 65536 + 777)
    subprocess.run(["tar", "-C", tmp_path, "-S", *options, "-cf", tmp_path / "t.tar", "sparse"], check=True)
    assert (tmp_path / "t.tar").stat().st_size < path.stat().st_size, "the tar is not sparse"
    assert content(load(tmp_path / "t.tar").get(b"sparse")) == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("../escape", "'..'"),
        ("a/../../escape", "'..'"),
        ("a/..", "'..'"),
        ("//x", "absolute"),
    ],
)
def test_names_that_could_escape_are_refused(tmp_path, name, why):
    with pytest.raises(VerificationError, match=why):
        load(make(tmp_path / "t.tar", entry(name)))
    with pytest.raises(VerificationError, match=why):
        load(make(tmp_path / "t.tar", entry("ok"), entry("h", tarfile.LNKTYPE, linkname=name)))


def test_hard_links_to_nothing_are_refused(tmp_path):
    with pytest.raises(VerificationError, match="no such entry"):
        load(make(tmp_path / "t.tar", entry("h", tarfile.LNKTYPE, linkname="later"), entry("later")))


def good(tmp_path: Path) -> bytes:
    return make(tmp_path / "good.tar", (entry("a"), b"x" * 600), entry("d", tarfile.DIRTYPE)).read_bytes()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:700], "truncated"),
        (lambda data: data[:1536], "truncated"),
        (lambda data: b"b" + data[1:], "checksum"),
        (lambda data: data + b"more", "after the end mark"),
        (lambda data: b"", "truncated"),
        (lambda data: b"\x1f\x8b" * 400, "octal|checksum"),
    ],
)
def test_damaged_tars_are_refused(tmp_path, change, why):
    path = tmp_path / "bad.tar"
    path.write_bytes(change(good(tmp_path)))
    with pytest.raises(VerificationError, match=str(path)) as caught:
        load(path)
    assert re.search(why, str(caught.value))


def test_unknown_entry_types_are_refused(tmp_path):
    with pytest.raises(VerificationError, match="unknown type"):
        load(make(tmp_path / "t.tar", entry("x", b"M")))


def test_limits_count_holes_and_entries(tmp_path):
    path = make(tmp_path / "t.tar", (entry("a"), b"x" * 100), (entry("b"), b"x" * 100))
    with pytest.raises(VerificationError, match="too large"):
        load(path, Limits(size=150))
    with pytest.raises(VerificationError, match="too many"):
        load(path, Limits(entries=1))


@given(st.lists(st.tuples(st.binary(max_size=12), st.sampled_from(b"0125xgLKS"), st.binary(max_size=12)), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_no_tar_puts_a_name_outside_or_ends_in_a_traceback(tmp_path, members):
    data = b""
    for name, kind, link in members:
        block = bytearray(512)
        block[: len(name)] = name
        block[100:107], block[124:135], block[156] = b"0000644", b"%011o" % len(link), kind
        block[157 : 157 + len(link)] = link
        block[257:265] = b"ustar\x0000"
        block[148:156] = b" " * 8
        block[148:155] = b"%06o\0" % sum(block)
        data += bytes(block) + (link.ljust(512, b"\0") if link else b"")
    path = tmp_path / "fuzz.tar"
    path.write_bytes(data + bytes(1024))
    try:
        tree = load(path)
    except PyContainerError:
        return
    for name, _ in tree.walk():
        assert not {b"", b".", b".."} & set(name.split(b"/"))
        assert not name.startswith(b"/")


@given(st.binary(max_size=40))
@settings(max_examples=50)
def test_an_accepted_name_is_relative_and_has_no_dots(raw):
    try:
        name = entry_name(raw)
    except VerificationError:
        return
    assert not name.startswith(b"/") and not {b".", b".."} & set(name.split(b"/"))


NODES = st.one_of(
    st.builds(
        lambda mode, uid, mtime: Directory(mode=mode, uid=uid, mtime=mtime),
        st.integers(0, 0o7777),
        st.integers(0, 2**32 - 2),
        st.integers(0, 2**32 - 1),
    ),
    st.builds(
        lambda target: Symlink(mode=0o777, target=target),
        st.binary(min_size=1, max_size=300).filter(lambda data: b"\0" not in data),
    ),
    st.builds(
        lambda major, minor: Device(mode=0o600, block=True, major=major, minor=minor),
        st.integers(0, 4095),
        st.integers(0, 2**20 - 1),
    ),
)
NAMES = st.binary(min_size=1, max_size=150).filter(
    lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")
)


@given(st.dictionaries(NAMES, NODES, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_what_we_write_is_what_we_read(tmp_path, entries):
    tree = Tree()
    for name, node in entries.items():
        tree.add(b"top/" + name, node)
    path = tmp_path / "own.tar"
    with path.open("wb") as stream:
        write_tar(tree, stream.write)
    assert list(load(path).walk()) == list(tree.walk())
