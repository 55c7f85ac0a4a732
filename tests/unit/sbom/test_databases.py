# SPDX-License-Identifier: MIT
"""Package databases of apk, rpm and opkg, and packages of Python and Node, in the forms in which systems have them."""

import contextlib
import json
import sqlite3
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BuildError
from orchestrator.sbom import apk, npm, opkg, pythondist, rpm, rpmheader
from orchestrator.sbom.inventory import take
from orchestrator.sbom.packages import dependencies

from .sample import DATA, tree_of

ALPINE = b"""C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:musl
V:1.2.5-r0
A:x86_64
S:411000
I:667648
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Timo Teras <timo.teras@iki.fi>
t:1711000000
c:4f6e8c3c1f1e
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1abc=

P:busybox
V:1.36.1-r29
A:x86_64
L:GPL-2.0-only
o:busybox
D:so:libc.musl-x86_64.so.1 !uclibc-utils>0
F:bin
R:busybox
F:etc/udhcpc
M:0:0:755
R:udhcpc.conf

"""


def test_an_apk_database_gives_packages_owners_and_needs():
    tree = tree_of({"etc/os-release": b"ID=alpine\nVERSION_ID=3.20.1\n", "lib/apk/db/installed": ALPINE})
    found = apk.read(tree)
    busybox, musl = found.packages
    assert musl.purl == "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1"
    assert musl.supplier is not None
    assert musl.supplier.email == "timo.teras@iki.fi"
    assert musl.licence is not None
    assert musl.licence.expression == "MIT"
    assert musl.files == ("lib/ld-musl-x86_64.so.1",)
    assert musl.source is not None
    assert musl.source.uri.endswith("#4f6e8c3c1f1e")
    assert busybox.files == ("bin/busybox", "etc/udhcpc/udhcpc.conf")
    assert busybox.needs == (("so:libc.musl-x86_64.so.1",),)  # a conflict is no need
    edges, unmet = dependencies(found.packages)
    assert [(edge.dependent, edge.needed) for edge in edges] == [(busybox.key, musl.key)]
    assert unmet == set()


def test_an_opkg_database_takes_licence_and_maintainer_from_the_control_files():
    tree = tree_of(
        {
            "usr/lib/opkg/status": b"Package: dropbear\nVersion: 2024.85-r1\nDepends: libc, kmod-x (>= 1)\n"
            b"Status: install user installed\nArchitecture: mips_24kc\n\n"
            b"Package: gone\nVersion: 1\nStatus: deinstall ok not-installed\n",
            "usr/lib/opkg/info/dropbear.control": b"Package: dropbear\nVersion: 2024.85-r1\nLicense: MIT\n"
            b"SourceName: dropbear\nMaintainer: Ada <ada@example.com>\nArchitecture: mips_24kc\n"
            b"Depends: libc, kmod-x\n",
            "usr/lib/opkg/info/dropbear.list": b"/usr/sbin/dropbear\t0100755\n/etc/config/dropbear\n",
        }
    )
    (found,) = opkg.read(tree).packages
    assert found.files == ("usr/sbin/dropbear", "etc/config/dropbear")
    assert found.licence is not None
    assert found.licence.expression == "MIT"
    assert found.needs == (("libc",), ("kmod-x",))
    assert found.purl == "pkg:opkg/opkg/dropbear@2024.85-r1?arch=mips_24kc"


def header(entries: list[tuple[int, int, object]]) -> bytes:
    """Return a header as rpm keeps it in its database: counts, index, data."""
    index, data = b"", b""
    for tag, kind, value in entries:
        if kind == 6:
            packed, count = str(value).encode() + b"\0", 1
        elif kind in (8, 9):
            packed, count = b"".join(str(each).encode() + b"\0" for each in value), len(value)
        else:
            form, align = {3: ("H", 2), 4: ("I", 4)}[kind]
            data += bytes(-len(data) % align)
            packed, count = struct.pack(f">{len(value)}{form}", *value), len(value)
        index += struct.pack(">IIiI", tag, kind, len(data), count)
        data += packed
    return struct.pack(">II", len(entries), len(data)) + index + data


BASH = header(
    [
        (1000, 6, "bash"), (1001, 6, "5.2.26"), (1002, 6, "3.fc40"), (1003, 4, [1]),
        (1004, 9, ["The GNU Bourne Again shell"]), (1011, 6, "Fedora Project"), (1014, 6, "GPLv3+"),
        (1015, 6, "Fedora Project"), (1020, 6, "https://www.gnu.org/software/bash"), (1022, 6, "x86_64"),
        (1030, 3, [0o100755, 0o040755]), (1044, 6, "bash-5.2.26-3.fc40.src.rpm"),
        (1047, 8, ["bash", "bash(x86-64)"]), (1049, 8, ["rpmlib(PayloadIsZstd)", "/bin/sh", "libc.so.6()(64bit)"]),
        (1116, 4, [0, 1]), (1117, 8, ["bash", "bash"]), (1118, 8, ["/usr/bin/", "/usr/share/doc/"]),
    ]
)  # fmt: skip
KEY = header([(1000, 6, "gpg-pubkey"), (1001, 6, "a15b79cc"), (1002, 6, "63d04c2c")])


def rpm_database(*blobs: bytes, journal: str = "DELETE") -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
        connection.commit()
        data = connection.serialize()
    return data[:18] + b"\x02\x02" + data[20:] if journal == "WAL" else data


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_an_rpm_database_gives_packages_owners_and_sources(journal):
    release = b"ID=fedora\nVERSION_ID=40\n"
    database = rpm_database(BASH, KEY, journal=journal)
    tree = tree_of({"etc/os-release": release, "usr/lib/sysimage/rpm/rpmdb.sqlite": database})
    (found,) = rpm.read(tree).packages
    assert found.version == "1:5.2.26-3.fc40"
    assert found.purl == "pkg:rpm/fedora/bash@5.2.26-3.fc40?arch=x86_64&distro=fedora-40&epoch=1"
    assert found.files == ("usr/bin/bash",)  # a folder is no file
    assert found.licence is not None
    assert found.licence.expression == "GPL-3.0-or-later"
    assert found.source is not None
    assert (found.source.name, found.source.version) == ("bash", "5.2.26-3.fc40")
    assert found.needs == (("/bin/sh",), ("libc.so.6()(64bit)",))
    assert "/usr/bin/bash" in found.provides
    assert found.supplier is not None
    assert found.supplier.name == "Fedora Project"


def test_an_old_rpm_database_is_said_to_be_unread():
    found = rpm.read(tree_of({"var/lib/rpm/Packages": b"\0" * 100}))
    assert found.packages == ()
    assert "Berkeley DB" in found.remarks[0]


def test_a_damaged_rpm_database_is_refused():
    with pytest.raises(BuildError, match="damaged"):
        rpm.read(tree_of({"var/lib/rpm/rpmdb.sqlite": b"SQLite format 3\0" + b"x" * 200}))
    with pytest.raises(BuildError, match="damaged"):
        rpm.read(tree_of({"var/lib/rpm/rpmdb.sqlite": rpm_database(b"\xff" * 64)}))


@given(st.integers(0, len(BASH) - 1), st.binary(min_size=1, max_size=6))
def test_a_damaged_rpm_header_is_an_error_of_ours_and_nothing_else(place, noise):
    data = bytearray(BASH)
    data[place : place + len(noise)] = noise
    with contextlib.suppress(rpmheader.RpmError):
        rpmheader.parse(bytes(data)).paths()


def test_a_python_distribution_owns_what_its_record_lists_and_what_was_compiled_of_it():
    site = "usr/lib/python3/dist-packages"
    tree = tree_of(
        {
            f"{site}/PyYAML-6.0.dist-info/METADATA": b"Metadata-Version: 2.4\nName: PyYAML\nVersion: 6.0\n"
            b"License-Expression: MIT\nAuthor-email: Kirill <xi@example.com>\n"
            b"Requires-Dist: typing_extensions>=4; python_version < '3.8'\n"
            b"Requires-Dist: nose; extra == 'test'\n\nText\n",
            f"{site}/PyYAML-6.0.dist-info/RECORD": b"yaml/__init__.py,sha256=x,10\nPyYAML-6.0.dist-info/METADATA,,\n"
            b"../../../bin/yamltool,sha256=y,3\n",
            f"{site}/yaml/__init__.py": b"pass",
            f"{site}/yaml/__pycache__/__init__.cpython-313.pyc": b"\0",
            "usr/bin/yamltool*": b"#!/usr/bin/python3\n",
        }
    )
    (found,) = pythondist.read(take(tree)).packages
    assert found.purl == "pkg:pypi/pyyaml@6.0"
    assert found.licence is not None
    assert found.licence.expression == "MIT"
    assert found.needs == (("typing-extensions",),)
    assert set(found.files) >= {
        f"{site}/yaml/__init__.py",
        f"{site}/yaml/__pycache__/__init__.cpython-313.pyc",
        f"{site}/../../../bin/yamltool".replace(f"{site}/../../../", "usr/"),
    }


def test_node_packages_need_the_nearest_copy_of_what_they_name():
    def manifest(name, version, **more):
        return json.dumps({"name": name, "version": version, "license": "MIT", **more}).encode()

    tree = tree_of(
        {
            "app/node_modules/a/package.json": manifest("a", "1.0.0", dependencies={"b": "^2", "@s/c": "*"}),
            "app/node_modules/a/index.js": b"",
            "app/node_modules/a/node_modules/b/package.json": manifest("b", "2.0.0"),
            "app/node_modules/b/package.json": manifest(
                "b", "1.0.0", author="Ada <ada@example.com> (https://a.example)"
            ),
            "app/node_modules/@s/c/package.json": manifest("@s/c", "3.0.0", license={"type": "ISC"}),
            "app/node_modules/a/test/package.json": manifest("inner", "9"),
            "app/node_modules/broken/package.json": b"{",
        }
    )
    found = npm.read(take(tree))
    by_purl = {package.purl: package for package in found.packages}
    assert set(by_purl) == {"pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/b@2.0.0", "pkg:npm/%40s/c@3.0.0"}
    a = by_purl["pkg:npm/a@1.0.0"]
    assert {edge.needed for edge in found.edges if edge.dependent == a.key} == {
        by_purl["pkg:npm/b@2.0.0"].key,
        by_purl["pkg:npm/%40s/c@3.0.0"].key,
    }
    assert a.files == (
        "app/node_modules/a/index.js",
        "app/node_modules/a/package.json",
        "app/node_modules/a/test/package.json",
    )
    licence = by_purl["pkg:npm/%40s/c@3.0.0"].licence
    assert licence is not None
    assert licence.expression == "ISC"


def test_a_header_that_rpm_wrote_is_read():
    """`rpm -i` of a package that rpmbuild 4.18 made put this blob into the table Packages."""
    database = rpm_database((DATA / "hello-test.rpmheader").read_bytes())
    (found,) = rpm.read(tree_of({"var/lib/rpm/rpmdb.sqlite": database})).packages
    assert (found.name, found.version, found.architecture) == ("hello-test", "2:1.2-3", "noarch")
    assert found.files == ("usr/share/hello/a",)
    assert found.licence is not None
    assert found.licence.expression == "GPL-2.0-or-later AND MIT"
    assert found.supplier is not None
    assert (found.supplier.name, found.supplier.email) == ("Example Ltd", "ada@example.com")
    assert found.needs == (("/bin/sh",),)
