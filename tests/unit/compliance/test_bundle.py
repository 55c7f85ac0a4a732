# SPDX-License-Identifier: MIT
"""The source bundle: from a signed index to files by layer, and what is missing said."""

import hashlib
import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.compliance.bundle import bundled, make_bundle
from orchestrator.compliance.bundle.debian import Indexes, codename, read_sources, verified
from orchestrator.compliance.bundle.mirror import mirrors
from orchestrator.compliance.sources import Source
from orchestrator.errors import ConfigError, FetchError, TrustError, VerificationError

MAIN, SECURITY = "http://main.test/debian", "http://main.test/debian-security"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Mirror:
    """A mirror in memory, with one release that has `tool`, and `odd` in its security archive."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.release(
            "trixie",
            MAIN,
            [("tool", "1.2-3", "pool/main/t/tool", {"tool_1.2.orig.tar.xz": b"tool source", "tool_1.2-3.dsc": b"dsc"})],
        )
        self.release("trixie-updates", MAIN, [])
        self.release("trixie-security", SECURITY, [("odd", "2:1.0-1+deb13u1", "pool/updates/main/o/odd",
                                                    {"odd_1.0-1+deb13u1.dsc": b"odd dsc"})])  # fmt: skip

    def release(self, suite: str, base: str, packages: list[tuple[str, str, str, dict[str, bytes]]]) -> None:
        text = ""
        for name, version, folder, files in packages:
            text += f"Package: {name}\nBinary: {name}\nVersion: {version}\nDirectory: {folder}\nChecksums-Sha256:\n"
            for file, data in files.items():
                text += f" {sha256(data)} {len(data)} {file}\n"
                self.files[f"{base}/{folder}/{file}"] = data
            text += f"Package-List:\n {name} deb\n\n"
        index = lzma.compress(text.encode())
        digest = sha256(index)
        self.files[f"{base}/dists/{suite}/main/source/by-hash/SHA256/{digest}"] = index
        head = f"Suite: {suite}\nSHA256:\n {digest} {len(index)} main/source/Sources.xz\n"
        self.files[f"{base}/dists/{suite}/InRelease"] = head.encode()

    def download(self, url: str, target: Path, limit: int) -> None:
        self.fetched.append(url)
        if url not in self.files:
            raise FetchError(f"cannot download {url}", "the server answers 404 Not Found")
        target.write_bytes(self.files[url])

    def indexes(self, folder: Path) -> Indexes:
        folder.mkdir(parents=True, exist_ok=True)
        return Indexes(MAIN, SECURITY, folder, self.download, lambda path: path.read_text())


def source(name: str, version: str, layer: str = "rootfs", **more: object) -> Source:
    values: dict[str, object] = {"uri": "", "hashes": (), "components": (f"{name} 1",), "licences": ("GPL-2.0-only",),
                                 "owed": True, "kind": "deb", "distro": "debian-13"}  # fmt: skip
    return Source(layer, name, version, **{**values, **more})  # type: ignore[arg-type]


TOOL, ODD = source("tool", "1.2-3"), source("odd", "2:1.0-1+deb13u1")


def test_sources_are_laid_out_by_layer_and_the_bundle_is_complete(tmp_path: Path) -> None:
    mirror = Mirror()
    again = source("tool", "1.2-3", "web")
    made = make_bundle([TOOL, ODD, again], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)
    assert made.missing == ()
    place = tmp_path / "out" / "rootfs" / "tool_1.2-3" / "tool_1.2.orig.tar.xz"
    assert place.read_bytes() == b"tool source"
    twin = tmp_path / "out" / "web" / "tool_1.2-3" / "tool_1.2.orig.tar.xz"
    assert twin.samefile(place)
    assert bundled(tmp_path / "out") == {("tool", "1.2-3"), ("odd", "2:1.0-1+deb13u1")}
    manifest = json.loads((tmp_path / "out" / "sources.json").read_bytes())
    assert manifest["complete"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    mirror = Mirror()
    make_bundle([TOOL], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)
    first = (tmp_path / "out" / "sources.json").read_bytes()
    mirror.fetched.clear()
    make_bundle([TOOL], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)
    assert [url for url in mirror.fetched if "pool" in url or "by-hash" in url] == []
    assert (tmp_path / "out" / "sources.json").read_bytes() == first


def test_what_cannot_be_had_is_missing_with_its_reason(tmp_path: Path) -> None:
    mirror = Mirror()
    listed = [
        TOOL,
        source("tool", "1.0-1"),
        source("", ""),
        source("vendor", "1", kind="generic", distro=""),
        source("lib", "1", kind="pypi", uri="https://x.test/lib.tar.gz", hashes=(("sha256", "0" * 64),)),
    ]
    made = make_bundle(listed, tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)
    assert {(each.name, each.version): each.why.split(" ")[0] for each in made.missing} == {
        ("tool", "1.0-1"): "the", ("", ""): "its", ("vendor", "1"): "the", ("lib", "1"): "cannot",
    }  # fmt: skip
    assert not json.loads((tmp_path / "out" / "sources.json").read_bytes())["complete"]
    assert bundled(tmp_path / "out") == {("tool", "1.2-3")}


def test_a_file_with_another_hash_is_missing_and_leaves_nothing(tmp_path: Path) -> None:
    mirror = Mirror()
    mirror.files[f"{MAIN}/pool/main/t/tool/tool_1.2.orig.tar.xz"] = b"something else"
    made = make_bundle([TOOL], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)
    assert [each.name for each in made.missing] == ["tool"]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["sources.json"]


def test_an_index_that_is_not_the_signed_one_is_refused(tmp_path: Path) -> None:
    mirror = Mirror()
    url = next(url for url in mirror.files if "trixie/main/source/by-hash" in url)
    mirror.files[url] = lzma.compress(b"Package: tool\n")
    with pytest.raises(FetchError, match="not the signed one"):
        make_bundle([TOOL], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)


def test_a_source_may_lie_on_this_machine(tmp_path: Path) -> None:
    own = tmp_path / "own.tar.gz"
    own.write_bytes(b"ours")
    mirror = Mirror()
    made = make_bundle(
        [source("own", "1", kind="generic")], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download,
        local={"own_1": own},
    )  # fmt: skip
    assert made.missing == ()
    assert (tmp_path / "out" / "rootfs" / "own_1" / "own.tar.gz").read_bytes() == b"ours"


def test_a_damaged_bundle_is_found(tmp_path: Path) -> None:
    mirror = Mirror()
    make_bundle([TOOL], tmp_path / "out", mirror.indexes(tmp_path / "cache"), mirror.download)
    (tmp_path / "out" / "rootfs" / "tool_1.2-3" / "tool_1.2-3.dsc").write_bytes(b"other")
    with pytest.raises(VerificationError):
        bundled(tmp_path / "out")
    with pytest.raises(VerificationError):
        bundled(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [("Directory: pool/main/t/tool", "Directory: pool/../../etc"), ("Directory: pool/main/t/tool", "Directory: /etc"),
     ("tool.dsc", "../tool.dsc"), ("Checksums-Sha256", "Checksums-Md5")],
)  # fmt: skip
def test_an_index_cannot_lead_outside(change: tuple[str, str]) -> None:
    text = f"Package: tool\nVersion: 1\nDirectory: pool/main/t/tool\nChecksums-Sha256:\n {'0' * 64} 5 tool.dsc\n"
    assert [key for key, _ in read_sources(text, MAIN, {("tool", "1")})] == [("tool", "1")]
    assert list(read_sources(text.replace(*change), MAIN, {("tool", "1")})) == []


@given(st.text(alphabet="Package: tolVersin1\nDrcty/.0a5 ", max_size=300))
def test_any_index_is_read_or_left(text: str) -> None:
    for _, files in read_sources(text, MAIN, {("tool", "1"), ("t", "")}):
        assert all("/" not in file.name for file in files)


def test_an_unsigned_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "InRelease"
    path.write_text("Suite: trixie\n")
    with pytest.raises((TrustError, ConfigError)):
        verified(path)


def test_the_release_of_a_purl_is_known_by_its_codename() -> None:
    assert (codename("debian-13"), codename("debian-12.5"), codename("debian-trixie")) == (
        "trixie", "bookworm", "trixie",
    )  # fmt: skip
    assert (codename("fedora-40"), codename(""), codename("debian-99")) == ("", "", "")


def test_the_mirror_is_the_one_that_is_asked_for_or_that_of_apt(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.test/debian trixie main\n# deb http://b.test/debian x main\n")
    (tmp_path / "sources.list.d" / "s.sources").write_text("Types: deb\nURIs: http://s.test/debian-security/\n")
    assert mirrors({}, tmp_path) == ("http://a.test/debian", "http://s.test/debian-security")
    asked = {"PYCONTAINER_DEBIAN_MIRROR": "http://c.test/debian/"}
    assert mirrors(asked, tmp_path) == ("http://c.test/debian", "http://c.test/debian-security")
    with pytest.raises(ConfigError):
        mirrors({"PYCONTAINER_DEBIAN_MIRROR": "http://user:secret@c.test/debian"}, tmp_path)
    with pytest.raises(ConfigError, match="no Debian mirror"):
        mirrors({}, tmp_path / "none")
