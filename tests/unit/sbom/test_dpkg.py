# SPDX-License-Identifier: MIT
"""Packages from a dpkg database inside a tar."""

from pathlib import Path

import pytest
from packageurl import PackageURL

from orchestrator.errors import BuildError
from orchestrator.sbom import dpkg
from orchestrator.sbom.model import Contact

from .sample import root_file_system, write_tar


def test_installed_packages_are_read_and_removed_ones_are_not(tmp_path: Path) -> None:
    layer = root_file_system(tmp_path)
    assert layer.rootfs is not None
    database = dpkg.read(layer.rootfs)
    assert [package.name for package in database.packages] == ["libc6", "libexample1", "libgnutls30"]
    example = database.packages[1]
    assert (example.source_name, example.source_version) == ("example", "1:2.0-1")
    assert example.purl == "pkg:deb/debian/libexample1@1:2.0-1%2Bb1?arch=amd64&distro=debian-13"
    assert example.supplier == Contact("Organization", "Example Team", "team@lists.example.com")
    assert example.needs == ("libc6", "libssl3", "libgnutls30")
    assert database.packages[0].supplier == Contact("Person", "Ada Example", "ada@example.com")
    assert database.packages[0].source_version == "2.41-12"


def test_the_package_url_is_the_canonical_one() -> None:
    made = dpkg.purl("libstdc++6", "1:14.2.0-19+b1~x", "amd64", "debian", "13")
    again = PackageURL.from_string(made)
    assert again.to_string() == made
    assert (again.name, again.version) == ("libstdc++6", "1:14.2.0-19+b1~x")


def test_a_database_without_a_package_manager_is_read(tmp_path: Path) -> None:
    tar = write_tar(
        tmp_path / "rootfs.tar",
        {
            "var/lib/dpkg/status.d/libc6": b"Package: libc6\nVersion: 2.41-12\nArchitecture: amd64\n",
            "var/lib/dpkg/status.d/libc6.md5sums": b"0000  usr/lib/x\n",
        },
    )
    database = dpkg.read(tar)
    assert [package.name for package in database.packages] == ["libc6"]
    assert database.packages[0].supplier is None


def test_a_file_system_without_a_database_says_so(tmp_path: Path) -> None:
    database = dpkg.read(write_tar(tmp_path / "rootfs.tar", {"bin/sh": b""}))
    assert not database.found
    assert database.packages == ()


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"var/lib/dpkg/status": b"Package: ../x\nVersion: 1\nArchitecture: amd64\n"})
    with pytest.raises(BuildError, match="damaged"):
        dpkg.read(tar)
