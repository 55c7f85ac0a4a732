# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import stat
import tarfile
from pathlib import Path

import pytest
from debian_make import ar, deb, member, tar_xz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycontainer_debian.deb import Deb, copyright_of, digests, unpack
from pycontainer_debian.errors import DebianError
from pycontainer_debian.tree import Tree


def merged(tmp_path: Path, *packages: Path) -> Tree:
    tree = Tree(merged_usr=True)
    unpack([Deb(path) for path in packages], tree, tmp_path / "spool")
    return tree


def test_files_keep_mode_owner_links_and_attributes(tmp_path: Path) -> None:
    members = [
        member("./usr/bin/tool", b"code", mode=0o4755, uid=0, gid=42, mtime=7),
        member("./usr/bin/hard", type=tarfile.LNKTYPE, linkname="./usr/bin/tool"),
        member("./usr/bin/soft", type=tarfile.SYMTYPE, linkname="tool"),
        member("./etc/cap", b"x", pax_headers={"SCHILY.xattr.user.key": "value"}),
    ]
    tree = merged(tmp_path, deb(tmp_path / "a.deb", "tool", members))
    tool = tree.entries["usr/bin/tool"]
    assert (stat.S_IMODE(tool.mode), tool.uid, tool.gid, tool.mtime) == (0o4755, 0, 42, 7)
    assert tool.content.read() == b"code"
    assert tree.entries["usr/bin/hard"] is tool
    assert tree.lookup("usr/bin/soft") is tool
    assert tree.entries["etc/cap"].xattrs == {"user.key": b"value"}
    assert tool.origin == "tool"


def test_files_in_aliased_folders_land_in_usr(tmp_path: Path) -> None:
    tree = merged(
        tmp_path, deb(tmp_path / "a.deb", "aa", [member("./lib/x.so", b"x"), member("./lib", type=tarfile.DIRTYPE)])
    )
    assert "usr/lib/x.so" in tree.entries
    assert tree.entries["lib"].is_link


def test_two_packages_may_share_a_folder_but_not_a_file(tmp_path: Path) -> None:
    one = deb(tmp_path / "1.deb", "one", [member("./etc", type=tarfile.DIRTYPE), member("./etc/x", b"1")])
    two = deb(tmp_path / "2.deb", "two", [member("./etc", type=tarfile.DIRTYPE), member("./etc/x", b"2")])
    with pytest.raises(DebianError, match="/etc/x") as caught:
        merged(tmp_path, one, two)
    assert caught.value.why == "one and two"


def test_two_packages_may_bring_the_same_bytes(tmp_path: Path) -> None:
    one = deb(tmp_path / "1.deb", "one", [member("./etc/x", b"same")])
    two = deb(tmp_path / "2.deb", "two", [member("./etc/x", b"same")])
    assert merged(tmp_path, one, two).entries["etc/x"].content.read() == b"same"


@pytest.mark.parametrize(
    "bad",
    [
        member("./../evil", b"x"),
        member("./usr/../../evil", b"x"),
        member("./dev/sda", type=tarfile.BLKTYPE),
        member("./x", type=tarfile.LNKTYPE, linkname="./never-there"),
    ],
)
def test_a_member_that_no_package_may_have_is_refused(tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(DebianError, match="is not a Debian package"):
        merged(tmp_path, deb(tmp_path / "a.deb", "aa", [bad]))


def test_a_link_out_of_the_tree_leads_nowhere_when_a_file_follows_it(tmp_path: Path) -> None:
    members = [member("./out", type=tarfile.SYMTYPE, linkname="../../etc"), member("./out/passwd", b"evil")]
    with pytest.raises(DebianError, match="leads out of its tree"):
        merged(tmp_path, deb(tmp_path / "a.deb", "aa", members))


CONTROL = ("control.tar.xz", tar_xz([member("./control", b"Package: aa\nVersion: 1\nArchitecture: all\n")]))
DATA = ("data.tar.xz", tar_xz([]))
BINARY = ("debian-binary", b"2.0\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"!<arch>\n",
        ar([BINARY, CONTROL]),
        ar([CONTROL, BINARY, DATA]),
        ar([("debian-binary", b"3.0\n"), CONTROL, DATA]),
        ar([BINARY, ("control.tar.xz", b"junk"), DATA]),
        ar([BINARY, ("control.tar.lzo", CONTROL[1]), DATA]),
        ar([BINARY, ("control.tar.xz", tar_xz([])), DATA]),
        ar([BINARY, ("control.tar.xz", tar_xz([member("./control", b"Package: aa\n")])), DATA]),
        ar([BINARY, CONTROL, DATA])[:-30],
        ar([BINARY, CONTROL, DATA]).replace(b"`\n", b"'\n", 1),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.deb").write_bytes(data)
    with pytest.raises(DebianError, match=r"a\.deb is not a Debian package"):
        merged(tmp_path, tmp_path / "a.deb")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=8), st.integers(min_value=0))
def test_a_damaged_package_is_read_or_refused_and_nothing_else(tmp_path: Path, noise: bytes, where: int) -> None:
    data = bytearray(ar([BINARY, CONTROL, ("data.tar.xz", tar_xz([member("./etc/x", b"data")]))]))
    start = where % len(data)
    data[start : start + len(noise)] = noise
    (tmp_path / "a.deb").write_bytes(bytes(data))
    with contextlib.suppress(DebianError):
        merged(tmp_path, tmp_path / "a.deb")


def test_a_copyright_file_is_found_through_a_link(tmp_path: Path) -> None:
    members = [
        member("./usr/share/doc/lib/copyright", b"terms"),
        member("./usr/share/doc/lib-dev", type=tarfile.SYMTYPE, linkname="lib"),
    ]
    tree = merged(tmp_path, deb(tmp_path / "a.deb", "lib", members))
    assert copyright_of(tree, "lib-dev") == b"terms"
    assert copyright_of(tree, "other") is None


def test_a_file_is_hashed_for_both_digests(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    found = digests(tmp_path / "f")
    assert found.sha256.startswith("ba7816bf")
    assert found.sha512.startswith("ddaf35a1")


def test_of_large_packages_only_the_wanted_files_are_kept(tmp_path: Path) -> None:
    members = [member("./usr/share/a.fd", b"a" * 1000), member("./usr/share/b.fd", b"b" * 1000)]
    members.append(member("./usr/share/c.fd", type=tarfile.LNKTYPE, linkname="./usr/share/a.fd"))
    path = deb(tmp_path / "a.deb", "firmware", members)
    spool = tmp_path / "only"
    kept = dict(Deb(path).entries(spool, {"usr/share/b.fd"}))
    assert [name for name, entry in kept.items() if entry.is_file] == ["usr/share/b.fd"]
    assert kept["usr/share/b.fd"].content.read() == b"b" * 1000
    assert spool.stat().st_size == 1000
