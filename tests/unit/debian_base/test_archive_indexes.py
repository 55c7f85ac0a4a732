# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import hashlib
import lzma
from pathlib import Path

import pytest
from debian_make import package
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_debian import archive
from pycontainer_debian.errors import DebianError
from pycontainer_debian.index import check_release, paragraphs, parse_packages, parse_release
from pycontainer_debian.universe import StoredUniverse, candidates, write

SHA = "a" * 64
RELEASE = f"""Origin: Debian
Suite: stable-security
Codename: trixie-security
Date: Fri, 20 Nov 2026 00:12:42 UTC
Valid-Until: Fri, 27 Nov 2026 00:12:42 UTC
SHA256:
 {SHA} 306312 main/binary-amd64/Packages.xz
"""
ENTRY = f"""Package: hello
Version: 2.10-3
Architecture: amd64
Depends: libc6 (>= 2.34)
Description: greets
 in many words
Filename: pool/main/h/hello/hello_2.10-3_amd64.deb
Size: 53084
SHA256: {SHA}
"""
DATE = 1795133562


def test_a_release_file_tells_dates_and_files() -> None:
    release = parse_release(RELEASE)
    assert (release.date, release.valid_until) == (DATE, DATE + 7 * 86400)
    assert release.files == {"main/binary-amd64/Packages.xz": (306312, SHA)}


def test_an_expired_release_is_refused() -> None:
    with pytest.raises(DebianError, match="expired"):
        check_release(parse_release(RELEASE), "trixie-security", DATE + 8 * 86400)


def test_another_suites_release_is_refused() -> None:
    with pytest.raises(DebianError, match="another suite"):
        check_release(parse_release(RELEASE), "bookworm-security", DATE)


@pytest.mark.parametrize("change", [("SHA256:", "MD5Sum:"), (SHA, "zz"), ("Codename", "Code"), ("Date:", "Day:")])
def test_a_release_without_a_needed_field_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(DebianError, match="InRelease"):
        parse_release(RELEASE.replace(*change))


def test_a_packages_file_is_read() -> None:
    (one,) = parse_packages(ENTRY, "debian")
    assert (one.name, one.version, one.size, one.depends) == ("hello", "2.10-3", 53084, "libc6 (>= 2.34)")


@pytest.mark.parametrize(
    "change",
    [
        ("pool/main/h/hello/", "../../etc/"),
        ("pool/main/h/", "pool/main/../../"),
        ("Package: hello", "Package: ../x"),
        ("Size: 53084", "Size: many"),
        (f"SHA256: {SHA}", "SHA256: 1234"),
        ("Version: 2.10-3", "Version 2.10-3"),
        ("Version: 2.10-3", "Version: 1\nVersion: 2"),
    ],
)
def test_a_packages_entry_that_no_build_may_trust_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(DebianError, match="Packages"):
        list(parse_packages(ENTRY.replace(*change), "debian"))


@given(st.text(max_size=200))
def test_any_text_is_a_deb822_file_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert all(fields for fields in paragraphs(text))


def test_the_newest_version_over_all_suites_is_the_candidate() -> None:
    found = candidates([package("a", "1.2"), package("a", "1.10", archive="debian-security"), package("a", "1.3")])
    assert (found["a"].version, found["a"].archive) == ("1.10", "debian-security")


def test_of_equal_versions_the_first_suite_wins() -> None:
    found = candidates([package("a", "1"), package("a", "1", archive="debian-security")])
    assert found["a"].archive == "debian"


def test_a_stored_universe_gives_back_what_was_written(tmp_path: Path) -> None:
    mawk = package("mawk", provides="awk", priority="required")
    gawk = package("gawk", provides="awk (= 5)")
    write(tmp_path / "u.sqlite", [gawk, mawk, package("dash", essential=True)])
    universe = StoredUniverse(tmp_path / "u.sqlite")
    assert universe.get("mawk") == mawk
    assert universe.get("nosuch") is None
    assert universe.providers("awk") == [mawk, gawk]
    assert [p.name for p in universe.essential()] == ["dash"]
    universe.close()


class Mirror:
    """Serves one suite set from memory, and counts what is asked for."""

    def __init__(self, text: str, served: bytes | None = None) -> None:
        self.packed = lzma.compress(text.encode())
        self.served = self.packed if served is None else served
        self.asked: list[str] = []

    def inrelease(self, suite: str) -> str:
        digest = hashlib.sha256(self.packed).hexdigest()
        head = f"Codename: {suite}\nSuite: stable\nDate: Fri, 20 Nov 2026 00:12:42 UTC\n"
        return f"{head}SHA256:\n {digest} {len(self.packed)} main/binary-amd64/Packages.xz\n"

    def download(self, url: str, target: Path) -> None:
        self.asked.append(url)
        suite = url.split("/dists/")[1].split("/")[0]
        target.write_bytes(self.inrelease(suite).encode() if url.endswith("InRelease") else self.served)


@pytest.fixture
def unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "verify_inrelease", lambda path, keyring: path.read_text())


ADDRESSES = archive.Mirror("http://m/debian", "http://m/debian-security", Path("/nonexistent"))


@pytest.mark.usefixtures("unsigned")
def test_indexes_are_downloaded_once_in_a_build(tmp_path: Path) -> None:
    mirror = Mirror(ENTRY)
    first = archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download)
    count = len(mirror.asked)
    assert archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download) == first
    assert len(mirror.asked) == count
    assert first.date == DATE
    assert StoredUniverse(first.universe).get("hello") is not None


@pytest.mark.usefixtures("unsigned")
@pytest.mark.parametrize("left", ["", "{}", "[]", '{"universe": 1}'])
def test_a_note_of_the_indexes_that_a_power_cut_left_empty_is_made_again(tmp_path: Path, left: str) -> None:
    mirror = Mirror(ENTRY)
    first = archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download)
    (note,) = tmp_path.glob("trixie-amd64-*.json")
    note.write_text(left)
    assert archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download) == first


@pytest.mark.usefixtures("unsigned")
def test_fresh_indexes_ask_the_mirror_again_but_not_for_what_did_not_change(tmp_path: Path) -> None:
    mirror = Mirror(ENTRY)
    archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download)
    mirror.asked.clear()
    archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, True, mirror.download)
    assert len(mirror.asked) == 3
    assert all(url.endswith("/InRelease") for url in mirror.asked)


@pytest.mark.usefixtures("unsigned")
def test_a_packages_file_that_the_release_does_not_sign_is_refused(tmp_path: Path) -> None:
    mirror = Mirror(ENTRY, served=lzma.compress(b"Package: evil\n"))
    with pytest.raises(DebianError, match="not the one that its InRelease file signs"):
        archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download)


def test_without_a_keyring_nothing_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "InRelease").write_text(RELEASE)
    with pytest.raises(DebianError, match="keyring is missing"):
        archive.verify_inrelease(tmp_path / "InRelease", tmp_path / "none.gpg")


def test_an_unsigned_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "InRelease").write_text(RELEASE)
    (tmp_path / "keys.gpg").write_bytes(b"")
    with pytest.raises(DebianError, match="not Debian's"):
        archive.verify_inrelease(tmp_path / "InRelease", tmp_path / "keys.gpg")


class Components(Mirror):
    """A mirror whose suites have a second component, all but the security updates, as Debian's may."""

    other = ENTRY.replace("hello", "blob").replace("pool/main", "pool/non-free-firmware")

    def inrelease(self, suite: str) -> str:
        packed = lzma.compress(self.other.encode())
        line = f" {hashlib.sha256(packed).hexdigest()} {len(packed)} non-free-firmware/binary-amd64/Packages.xz\n"
        return super().inrelease(suite) + ("" if suite.endswith("-security") else line)

    def download(self, url: str, target: Path) -> None:
        super().download(url, target)
        if "/non-free-firmware/" in url:
            target.write_bytes(lzma.compress(self.other.encode()))


@pytest.mark.usefixtures("unsigned")
def test_a_component_beside_main_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    mirror = Components(ENTRY)
    plain = archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download)
    assert not any("non-free" in url for url in mirror.asked)
    names = ("main", "non-free-firmware")
    both = archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download, names)
    assert sum("/non-free-firmware/" in url for url in mirror.asked) == 1  # the same bytes serve both suites
    assert StoredUniverse(both.universe).get("blob") is not None
    assert StoredUniverse(both.universe).get("hello") is not None
    assert StoredUniverse(plain.universe).get("blob") is None  # neither takes the other's file away
    count = len(mirror.asked)
    assert archive.indexes(ADDRESSES, "trixie", "amd64", tmp_path, False, mirror.download) == plain
    assert len(mirror.asked) == count
