# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from debian_make import package
from pycontainer_debian import pin
from pycontainer_debian.archive import Indexes, Mirror
from pycontainer_debian.errors import DebianError
from pycontainer_debian.lock import Lock, Locked, pinned_file, read_lock, write_lock
from pycontainer_debian.pin import Pinning
from pycontainer_debian.resolve import Request
from pycontainer_debian.universe import write

REQUEST = Request.of("amd64", "hello")
MIRROR = Mirror("http://m/debian", "http://m/debian-security", Path("/nonexistent"))


class Archive:
    """Stands in for the verified indexes: holds one version of hello, and counts how often it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[bool] = []
        self.publish("1")

    def publish(self, version: str) -> None:
        self.universe = self.folder / f"{version}.sqlite"
        write(self.universe, [package("hello", version), package("other", version)])
        self.date = 1000 + int(version)

    def indexes(
        self, mirror: Mirror, suite: str, arch: str, folder: Path, fresh: bool, *, components: tuple[str, ...]
    ) -> Indexes:
        self.asked.append(fresh)
        self.components = components
        return Indexes(self.universe, self.date, {suite: "digest"})


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    found = Archive(tmp_path)
    monkeypatch.setattr(pin, "indexes", found.indexes)
    return found


def pinning(folder: Path, mirror: Mirror | None = MIRROR, update: bool = False) -> Pinning:
    return Pinning("trixie", folder / "build" / "lock.json", folder / "index", mirror, update)


def test_a_request_is_resolved_once_and_then_comes_from_the_lock(tmp_path: Path, archive: Archive) -> None:
    first = pinning(tmp_path).pinned(REQUEST)
    archive.publish("2")
    assert pinning(tmp_path).pinned(REQUEST) == first
    assert [one.version for one in first] == ["1"]
    assert len(archive.asked) == 1


def test_a_request_is_resolved_in_the_components_that_the_machine_names(tmp_path: Path, archive: Archive) -> None:
    pinning(tmp_path).pinned(REQUEST)
    assert archive.components == ("main",)
    wider = replace(pinning(tmp_path), components=("main", "non-free-firmware"))
    wider.pinned(Request.of("amd64", "other"))
    assert archive.components == ("main", "non-free-firmware")


def test_the_date_of_the_lock_stays_when_requests_are_added(tmp_path: Path, archive: Archive) -> None:
    pinning(tmp_path).pinned(REQUEST)
    archive.publish("2")
    pinning(tmp_path).pinned(Request.of("amd64", "other"))
    assert pinning(tmp_path).source_date_epoch("amd64") == 1001


def test_a_lock_serves_without_a_network(tmp_path: Path, archive: Archive) -> None:
    first = pinning(tmp_path).pinned(REQUEST)
    assert pinning(tmp_path, mirror=None).pinned(REQUEST) == first


def test_without_lock_and_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DebianError) as caught:
        pinning(tmp_path, mirror=None).pinned(REQUEST)
    assert "BB_NO_NETWORK" in caught.value.why
    assert "build once with the network" in caught.value.hint


def test_an_update_resolves_anew_beside_the_lock_and_leaves_it_alone(tmp_path: Path, archive: Archive) -> None:
    pinning(tmp_path).pinned(REQUEST)
    before = pinning(tmp_path).lock.read_bytes()
    archive.publish("2")
    update = pinning(tmp_path, update=True)
    update.begin()
    assert [one.version for one in update.pinned(REQUEST)] == ["2"]
    assert update.target.name == "lock.json.new"
    assert pinning(tmp_path).lock.read_bytes() == before
    assert archive.asked == [False, True]


def test_an_update_starts_from_nothing(tmp_path: Path, archive: Archive) -> None:
    update = pinning(tmp_path, update=True)
    update.pinned(Request.of("amd64", "other"))
    update.begin()
    update.pinned(REQUEST)
    lock = read_lock(update.target, "trixie")
    assert lock is not None
    assert [entry["packages"] for entry in lock.requests.values()] == [["hello"]]


def test_a_lock_reads_back_what_was_written(tmp_path: Path) -> None:
    lock = Lock("trixie", 5, {"trixie": "x"})
    lock.add(REQUEST, [package("hello"), package("libc6", "2:2.41-12")])
    write_lock(tmp_path / "lock", lock)
    assert read_lock(tmp_path / "lock", "trixie") == lock
    assert list(tmp_path.iterdir()) == [tmp_path / "lock"]


def test_another_suites_lock_is_refused(tmp_path: Path) -> None:
    write_lock(tmp_path / "lock", Lock("forky", 5))
    with pytest.raises(DebianError, match="is for forky"):
        read_lock(tmp_path / "lock", "trixie")


def damaged(change: str) -> str:
    lock = Lock("trixie", 5)
    lock.add(REQUEST, [package("hello")])
    value = json.loads(lock.to_json())
    label = "hello_1_amd64"
    if change == "filename":
        value["packages"][label]["filename"] = "../../etc/passwd"
    elif change == "digest":
        value["packages"][label]["sha256"] = "0"
    elif change == "label":
        value["packages"][label]["version"] = "2"
    elif change == "archive":
        value["packages"][label]["archive"] = "elsewhere"
    elif change == "missing":
        value["packages"] = {}
    elif change == "schema":
        value["schemaVersion"] = 99
    elif change == "extra":
        value["packages"][label]["more"] = 1
    elif change == "list":
        return "[]"
    else:
        return lock.to_json()[:-20]
    return json.dumps(value)


@pytest.mark.parametrize(
    "change", ["filename", "digest", "label", "archive", "missing", "schema", "extra", "list", "truncated"]
)
def test_a_damaged_lock_is_refused_with_the_way_to_renew_it(tmp_path: Path, change: str) -> None:
    (tmp_path / "lock").write_text(damaged(change))
    with pytest.raises(DebianError) as caught:
        read_lock(tmp_path / "lock", "trixie")
    assert "pycontainer lock --update" in caught.value.hint


def test_a_downloaded_file_must_be_the_pinned_one(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(b"other bytes")
    with pytest.raises(DebianError, match="not the package that the lock file pins"):
        pinned_file(Locked.of(package("hello")), tmp_path / "a.deb")


def test_a_package_that_left_the_mirror_is_told_apart_from_no_network() -> None:
    error = pin.gone(Locked.of(package("hello")))
    assert "no longer serves hello 1" in error.what
    assert "pycontainer lock --update" in error.hint


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ({"hello_1_amd64.deb", "InRelease"}, "is not the file that the lock pins"),
        ({"InRelease"}, "no longer serves"),
        (set(), "cannot be downloaded"),
    ],
)
def test_a_failed_download_is_told_as_damaged_gone_or_out_of_reach(answers: set[str], what: str) -> None:
    error = pin.not_downloaded(
        Locked.of(package("hello")),
        "http://m/debian",
        "trixie",
        "timeout",
        lambda url: url.rpartition("/")[2] in answers,
    )
    assert what in error.what


def test_what_others_keep_in_the_lock_stays(tmp_path: Path, archive: Archive) -> None:
    pinning(tmp_path).pinned(REQUEST)
    path = tmp_path / "build" / "lock.json"
    images = {"registry.example/web:1": {"digest": "sha256:" + "0" * 64}}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images": images}))
    pinning(tmp_path).pinned(Request.of("amd64", "other"))
    written = json.loads(path.read_text())
    assert written["images"] == images
    assert len(written["requests"]) == 2
