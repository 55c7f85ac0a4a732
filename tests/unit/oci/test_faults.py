# SPDX-License-Identifier: MIT
"""Whatever fails, and whenever: the store stays whole, what was promised stays, and the next run completes it.

Every change of the disk is enumerated; none is sampled.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path

import pytest

from orchestrator.errors import PyContainerError, TryAgainError
from orchestrator.oci import MANIFEST_TYPE, Manifest, Store, fsck
from orchestrator.oci.files import Files
from tests.unit.oci.faults import OPERATIONS, CuttingPower, Dying, Failing, PowerCut, Watched


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch):
    """No test here looks at the disk itself, and a thousand real syncs take minutes."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def build(root: Path, files: Files, done: list[str], version: int = 1) -> None:
    """A build in small: blobs by every way, a manifest, an attachment, a tag; `done` gets what has been promised."""
    store = Store.open_or_create(root, files)
    done.append("created")
    source = root.parent / f"source-{version}"
    source.write_bytes(b"a file of version %d" % version * 1000)
    given = root.parent / f"given-{version}"
    given.unlink(missing_ok=True)
    given.write_bytes(b"a file that becomes the blob, version %d" % version)
    parts = [
        store.put_blob(b"the same in each version"),
        store.put_blob(io.BytesIO(b"a stream of version %d" % version)),
        store.put_blob(source),
        store.put_blob(given, adopt=True),
    ]
    config = store.put_blob(b'{"version":%d}' % version, media_type="application/json")
    manifest = store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type="application/x", config=config, layers=parts)
    )
    store.attach(manifest, "application/spdx+json", [store.put_blob(b"document %d" % version)])
    done.append(f"attached {version}")
    store.tag("candidate/board", manifest)
    done.append(f"tagged {version}")


def both(root: Path, files: Files, done: list[str]) -> None:
    build(root, files, done, 1)
    build(root, files, done, 2)


class Noted(list):
    """A list whose items outlive the process."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def append(self, item: str) -> None:
        with self.path.open("a") as stream:
            stream.write(item + "\n")


def state(root: Path) -> tuple[list[str], dict[str, str]]:
    """What a store holds: its blobs and its tags."""
    store = Store.open(root)
    blobs = sorted(path.name for path in store.blobs.folder.iterdir())
    return blobs, {name: entry.digest for name, entry in store.tags().items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str], dict[str, str]]:
    root = tmp_path_factory.mktemp("reference") / "store"
    files = Watched()
    both(root, files, [])
    return (files.count, *state(root))


def check(root: Path, done: list[str], reference: tuple[int, list[str], dict[str, str]]) -> None:
    """The store is whole and keeps its promises; a second run completes it to the very same state."""
    if "created" in done:
        store = Store.open(root)
        report = fsck(store)
        assert report.whole, report.problems
        tags = store.tags()
        if "tagged 1" in done:
            assert "candidate/board" in tags
        if "tagged 2" in done:
            assert tags["candidate/board"].digest == reference[2]["candidate/board"]
        attached = [entry for entry in store.entries() if entry.artifact_type == "application/spdx+json"]
        assert len(attached) >= sum(step.startswith("attached") for step in done)
    both(root, Files(), [])
    assert fsck(Store.open(root)).whole
    assert Store.open(root).blobs.leftovers() == []
    assert state(root) == (reference[1], reference[2])


def test_each_kind_of_change_is_exercised(tmp_path: Path):
    seen = set()

    class Noting(Watched):
        def step(self, name, arguments):
            seen.add(name)

    both(tmp_path / "store", Noting(), [])
    assert sorted(seen) == OPERATIONS


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["disk full", "bad disk"])
def test_an_error_at_any_change_leaves_the_store_whole(tmp_path: Path, reference, number: int):
    for position in range(1, reference[0] + 1):
        root = tmp_path / str(position) / "store"
        root.parent.mkdir()
        files, done = Failing(position, number), []
        try:
            both(root, files, done)
        except PyContainerError as problem:
            assert not isinstance(problem, TryAgainError) or number == errno.ENOSPC
            if number == errno.ENOSPC:
                assert isinstance(problem, TryAgainError), files.failed
                assert problem.exit_code == 75
                assert "free some space" in problem.hint
        else:
            # Only the removal of a temporary name may fail without harm.
            assert files.failed == "unlink", (position, files.failed)
        leftovers = list((root / ".tmp").iterdir()) if (root / ".tmp").exists() else []
        assert len(leftovers) <= (files.failed == "unlink"), "a failed command cleans up behind itself"
        check(root, done, reference)


def test_a_kill_at_any_change_leaves_the_store_whole(tmp_path: Path, reference):
    for position in range(1, reference[0] + 1):
        root = tmp_path / str(position) / "store"
        root.parent.mkdir()
        notes = root.parent / "done"
        child = os.fork()
        if child == 0:
            try:
                both(root, Dying(position), Noted(notes))
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77
        check(root, notes.read_text().splitlines() if notes.exists() else [], reference)


def test_a_power_cut_at_any_change_leaves_the_store_whole(tmp_path: Path, reference):
    runs = 0
    for position in range(1, reference[0] + 2):
        kept = 0
        while True:
            root = tmp_path / f"{position}-{kept}" / "store"
            root.parent.mkdir()
            files, done = CuttingPower(position, kept, root.parent / "spare"), []
            with contextlib.suppress(PowerCut):
                both(root, files, done)
            pending = len(files.named())
            files.lose(root)
            check(root, done, reference)
            runs += 1
            if kept >= pending:
                break
            kept += 1
    assert runs > reference[0]


def test_a_blob_that_a_killed_writer_left_is_made_safe_before_it_is_relied_on(tmp_path: Path):
    calls = []

    class Noting(Watched):
        def step(self, name, arguments):
            calls.append(name)

    store = Store.open_or_create(tmp_path / "store", Noting())
    store.put_blob(b"left behind")
    calls.clear()
    store.put_blob(b"left behind")
    assert calls == ["sync", "sync_folder"]
