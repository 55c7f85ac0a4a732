# SPDX-License-Identifier: MIT
"""Packages from a dpkg database inside a layer."""

from pathlib import Path

import pytest
from packageurl import PackageURL

from orchestrator.errors import BuildError
from orchestrator.sbom import dpkg
from orchestrator.sbom.model import Contact

from .sample import root_file_system, tree_of


def test_installed_packages_are_read_and_removed_ones_are_not(tmp_path: Path) -> None:
    layer = root_file_system(tmp_path)
    assert layer.tree is not None
    database = dpkg.read(layer.tree)
    assert [package.name for package in database.packages] == ["libc6", "libexample1", "libgnutls30"]
    example = database.packages[1]
    assert example.source is not None
    assert (example.source.name, example.source.version) == ("example", "1:2.0-1")
    assert example.source.uri == "pkg:deb/debian/example@1:2.0-1?arch=source&distro=debian-13"
    assert example.purl == "pkg:deb/debian/libexample1@1:2.0-1%2Bb1?arch=amd64&distro=debian-13"
    assert example.supplier == Contact("Organization", "Example Team", "team@lists.example.com")
    assert example.needs == (("libc6",), ("libssl3", "libgnutls30"))
    assert database.packages[0].supplier == Contact("Person", "Ada Example", "ada@example.com")
    assert database.packages[0].source is not None
    assert database.packages[0].source.version == "2.41-12"


def test_the_package_url_is_the_canonical_one() -> None:
    made = dpkg.purl("libstdc++6", "1:14.2.0-19+b1~x", "amd64", "debian", "13")
    again = PackageURL.from_string(made)
    assert again.to_string() == made
    assert (again.name, again.version) == ("libstdc++6", "1:14.2.0-19+b1~x")


def test_a_database_without_a_package_manager_is_read() -> None:
    tree = tree_of(
        {
            "var/lib/dpkg/status.d/libc6": b"Package: libc6\nVersion: 2.41-12\nArchitecture: amd64\n",
            "var/lib/dpkg/status.d/libc6.md5sums": b"0" * 32 + b"  usr/lib/x\n",
        },
    )
    database = dpkg.read(tree)
    assert [package.name for package in database.packages] == ["libc6"]
    assert database.packages[0].supplier is None
    assert database.packages[0].files == ("usr/lib/x",)


def test_the_files_of_a_package_are_those_that_its_list_names() -> None:
    tree = tree_of(
        {
            "var/lib/dpkg/status": b"Package: libz\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n",
            "var/lib/dpkg/info/libz:amd64.list": b"/.\n/usr\n/usr/lib/libz.so.1\n",
        }
    )
    assert dpkg.read(tree).packages[0].files == ("usr", "usr/lib/libz.so.1")


def test_a_file_system_without_a_database_says_so() -> None:
    database = dpkg.read(tree_of({"bin/sh": b""}))
    assert not database.found
    assert database.packages == ()


def test_a_damaged_database_is_refused() -> None:
    tree = tree_of({"var/lib/dpkg/status": b"Package: ../x\nVersion: 1\nArchitecture: amd64\n"})
    with pytest.raises(BuildError, match="damaged"):
        dpkg.read(tree)


@pytest.mark.parametrize(
    ("more", "source"),
    [
        ("Source: linux-signed-amd64 (6.12.1+1)\nBuilt-Using: linux (= 6.12.1-1)\n", ("linux", "6.12.1-1")),
        ("Source: grub-efi-amd64-signed (1+2)\nBuilt-Using: grub2 (= 2)\n", ("grub2", "2")),
        ("Source: linux-signed-amd64 (6.12.1+1)\n", ("linux-signed-amd64", "6.12.1+1")),
        ("Source: busybox\nBuilt-Using: glibc (= 2.41-12)\n", ("busybox", "6.12.1-1")),
    ],
)
def test_the_source_of_what_was_signed_is_not_that_of_the_signatures(more: str, source: tuple[str, str]) -> None:
    status = f"Package: a\nStatus: install ok installed\nVersion: 6.12.1-1\nArchitecture: amd64\n{more}"
    found = dpkg.read(tree_of({"var/lib/dpkg/status": status.encode()})).packages[0].source
    assert found is not None
    assert (found.name, found.version) == source
    assert f"/{source[0]}@" in found.uri
