# SPDX-License-Identifier: MIT
"""Of a blob that is like one that is here only what differs comes, and whatever goes wrong with that, all of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.canonical import hash_file
from orchestrator.delta import CHUNKS_TYPE, attach_chunks
from orchestrator.delta.attach import INDEX_TYPE, OF
from orchestrator.errors import PyContainerError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, Store, fsck
from orchestrator.registry import Reference, Repository, Transfer, Web, pull, push
from tests.unit.registry.fake import Handler, Registry, Seen, serving
from tests.unit.registry.test_hostile import FAULTS, IMPATIENT

OLD = random.Random(1).randbytes(3_000_000)
NEW = OLD[:700_000] + b"a security update" * 100 + OLD[700_000:2_000_000] + b"!" + OLD[2_000_001:]
KIND = "application/vnd.pycontainer.rootfs"


def revision(store: Store, data: bytes, name: str = "web") -> Descriptor:
    """Put a manifest of one layer into a store."""
    note = {"vnd.pycontainer.layer": name, "vnd.pycontainer.role": "rootfs"}
    blob = store.put_blob(data, media_type=KIND).plain(**note)
    config = store.put_blob(b'{"size":%d}' % len(data), media_type="application/vnd.pycontainer.config")
    manifest = store.put_manifest(
        Manifest(
            schema_version=2,
            media_type=MANIFEST_TYPE,
            artifact_type="application/vnd.pycontainer.revision.v1",
            config=config,
            layers=[blob],
        )
    )
    store.index.add(manifest)
    return manifest


class Pair:
    """Two revisions in a registry, and a store that has the first."""

    def __init__(self, registry: Registry, web: Web, folder: Path, old: bytes = OLD, new: bytes = NEW) -> None:
        self.registry, self.web = registry, web
        self.maker = Store.open_or_create(folder / "maker")
        self.user = Store.open_or_create(folder / "user")
        self.old, self.new = revision(self.maker, old), revision(self.maker, new)
        self.blob = self.maker.read_manifest(self.new.digest).layers[0]
        self.seed = self.maker.read_manifest(self.old.digest).layers[0]
        for each in (self.old, self.new):
            push(self.maker, each.digest, self.repository, web=web)
        self.pull(self.old)
        registry.seen.clear()

    @property
    def repository(self) -> Repository:
        return Repository(self.registry.host, "shop/web")

    def pull(self, which: Descriptor | None = None) -> Transfer:
        return pull(Reference(self.repository, None, (which or self.new).digest), self.user, web=self.web)

    def check(self) -> None:
        """The second revision is here, whole, and so is all else."""
        assert self.user.read_blob(self.blob.digest, limit=1 << 30) == NEW
        assert fsck(self.user).whole

    def ranges(self) -> list[str | None]:
        """How the new blob was asked for."""
        return [each.headers.get("range") for each in self.asked()]

    def asked(self) -> list[Seen]:
        return self.registry.asked("GET", self.blob.digest)


@pytest.fixture
def pair(registry: Registry, web: Web, tmp_path: Path) -> Pair:
    return Pair(registry, web, tmp_path)


def test_only_what_differs_comes_by_single_ranges(pair: Pair):
    got = pair.pull()
    pair.check()
    assert got.moved < 200_000
    ranges = pair.ranges()
    assert len(ranges) == 2
    assert all(each and each.startswith("bytes=") and "," not in each and not each.endswith("-") for each in ranges)


def test_the_index_is_a_referrer_that_anyone_makes_the_same(pair: Pair, tmp_path: Path):
    found = pair.maker.referrers(pair.new.digest, CHUNKS_TYPE)
    assert len(found) == 1
    layers = pair.maker.read_manifest(found[0].digest).layers
    assert [(each.media_type, each.annotations[OF]) for each in layers] == [(INDEX_TYPE, pair.blob.digest)]
    stranger = Store.open_or_create(tmp_path / "stranger")
    assert attach_chunks(stranger, revision(stranger, NEW).digest) == found[0]
    before = stranger.entries()
    assert attach_chunks(stranger, pair.new.digest) == found[0]
    assert stranger.entries() == before


def test_a_store_without_indexes_of_its_own_serves_as_well(registry: Registry, web: Web, tmp_path: Path):
    maker, user = Store.open_or_create(tmp_path / "maker"), Store.open_or_create(tmp_path / "user")
    new = revision(maker, NEW)
    revision(user, OLD)
    repository = Repository(registry.host, "shop/web")
    push(maker, new.digest, repository, web=web)
    assert pull(Reference(repository, None, new.digest), user, web=web).moved < 200_000


def test_backwards_goes_as_well(pair: Pair, tmp_path: Path):
    user = Store.open_or_create(tmp_path / "newer")
    pull(Reference(pair.repository, None, pair.new.digest), user, web=pair.web)
    got = pull(Reference(pair.repository, None, pair.old.digest), user, web=pair.web)
    assert got.moved < 200_000
    assert user.read_blob(pair.seed.digest, limit=1 << 30) == OLD


def test_an_empty_store_gets_all_in_one_request(pair: Pair, tmp_path: Path):
    empty = Store.open_or_create(tmp_path / "empty")
    assert pull(Reference(pair.repository, None, pair.new.digest), empty, web=pair.web).moved > len(NEW)
    assert pair.ranges() == [None]


def test_a_blob_of_which_little_is_here_comes_whole(registry: Registry, web: Web, tmp_path: Path):
    other = OLD[:200_000] + random.Random(2).randbytes(2_800_000)
    pair = Pair(registry, web, tmp_path, new=other)
    assert pair.pull().moved > 2_800_000
    assert pair.ranges() == [None]


def test_a_registry_without_ranges_gives_all(pair: Pair):
    pair.registry.ranges = False
    pair.pull()
    pair.check()
    assert len(pair.asked()) == 1


def test_a_seed_that_is_damaged_costs_one_more_download(pair: Pair):
    path = pair.user.blob_path(pair.seed.digest)
    path.chmod(0o644)
    path.write_bytes(OLD[:100] + b"damage" + OLD[106:])
    pair.pull()
    assert pair.user.read_blob(pair.blob.digest, limit=1 << 30) == NEW
    assert None in pair.ranges()


def test_a_seed_that_became_short_costs_no_more(pair: Pair):
    path = pair.user.blob_path(pair.seed.digest)
    path.chmod(0o644)
    path.write_bytes(OLD[:-100_000] + bytes(99_999))
    pair.pull()  # of another size: it is no seed
    path.write_bytes(OLD)
    pair.check()


def test_a_cut_transfer_goes_on_where_it_was(pair: Pair):
    cuts = []

    def cut(handler: Handler) -> bool:
        if handler.path.endswith(pair.blob.digest) and not cuts:
            cuts.append(handler.headers["range"])
            start, _, end = handler.headers["range"][6:].partition("-")
            size = int(end) + 1 - int(start)
            handler.send_response(206)
            handler.send_header("content-length", str(size))
            handler.send_header("content-range", f"bytes {start}-{end}/{len(NEW)}")
            handler.end_headers()
            handler.wfile.write(NEW[int(start) : int(start) + 5000])
            handler.cut()
            return True
        return False

    pair.registry.trouble = cut
    assert pair.pull().moved < 200_000
    pair.check()
    first = int(cuts[0][6:].partition("-")[0])
    assert f"bytes={first + 5000}-" in str(pair.ranges()[1])


def forged(change: Callable[[bytes], bytes]) -> Callable[[Pair], None]:
    """Let an index that says something else be attached to the new revision, in place of the right one."""

    def forge(pair: Pair) -> None:
        repo = pair.registry.repo("shop/web")
        referrer = pair.maker.referrers(pair.new.digest, CHUNKS_TYPE)[0]
        right = pair.maker.read_manifest(referrer.digest)
        wrong = pair.maker.put_blob(change(pair.maker.read_blob(right.layers[0].digest)), media_type=INDEX_TYPE)
        pair.maker.index.update(lambda entries: [each for each in entries if each["digest"] != referrer.digest])
        forgery = pair.maker.attach(pair.new, CHUNKS_TYPE, [wrong.plain(**{OF: pair.blob.digest})])
        del repo.manifests[referrer.digest]
        repo.blobs[wrong.digest] = pair.maker.read_blob(wrong.digest)
        repo.manifests[forgery.digest] = (MANIFEST_TYPE, pair.maker.read_blob(forgery.digest))

    return forge


def other_chunk(data: bytes) -> bytes:
    """A chunk that is here in the place of one that is not: the plan gives the wrong bytes."""
    records = [data[56 + 14 * n : 70 + 14 * n] for n in range((len(data) - 56) // 14)]
    return data[:56] + b"".join([*records[:5], records[5][:2] + records[6][2:], *records[6:]])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: b"PCCHUNKS" + b"\xff" * 500,
        lambda data: data[:24] + bytes(32) + data[56:],
        lambda data: data[:56] + data[70:84] + data[56:70] + data[84:],
        other_chunk,
    ],
    ids=["empty", "cut", "nonsense", "of another blob", "two swapped", "another chunk"],
)
def test_a_wrong_index_costs_time_and_no_more(pair: Pair, change: Callable[[bytes], bytes]):
    forged(change)(pair)
    pair.pull()
    pair.check()


def test_progress_counts_up_to_the_whole(pair: Pair):
    told: list[tuple[int, int]] = []
    pull(
        Reference(pair.repository, None, pair.new.digest),
        pair.user,
        web=pair.web,
        tell=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] == told[-1][1]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("delta")
    with serving(Registry()) as registry, Web(patience=IMPATIENT, environment={}) as web:
        yield Pair(registry, web, folder), folder


def beyond(handler: Handler) -> bool:
    """More than was asked for."""
    data = NEW
    start = int(handler.headers.get("range", "bytes=0-")[6:].partition("-")[0])
    handler.reply(206, data[start:], content_range=f"bytes {start}-{len(data) - 1}/{len(data)}")
    return True


def elsewhere(handler: Handler) -> bool:
    """What was asked for, by name; other bytes of the blob."""
    start, _, end = handler.headers.get("range", "bytes=0-9")[6:].partition("-")
    size = int(end or len(NEW) - 1) + 1 - int(start)
    handler.reply(206, NEW[:size], content_range=f"bytes {start}-{int(start) + size - 1}/{len(NEW)}")
    return True


def all_of_it(handler: Handler) -> bool:
    """200 in place of 206."""
    handler.reply(200, NEW)
    return True


FAULTS_OF_RANGES = {**FAULTS, "beyond": beyond, "elsewhere": elsewhere, "all of it": all_of_it}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(st.sampled_from(sorted(FAULTS_OF_RANGES)), max_size=6))
def test_whatever_a_registry_answers_to_ranges_nothing_wrong_enters_the_store(sample, script: list[str]):
    check_script(sample, script)


@pytest.mark.parametrize("name", sorted(FAULTS_OF_RANGES))
def test_one_fault_all_the_time_ends(sample, name: str):
    check_script(sample, [name] * 100)


def check_script(sample, script: list[str]) -> None:
    pair, folder = sample
    waiting = list(script)
    number = len(list(folder.iterdir()))
    user = Store.open_or_create(folder / f"user-{number}")
    revision(user, OLD)

    def trouble(handler: Handler) -> bool:
        if not handler.path.endswith(pair.blob.digest):
            return False
        with pair.registry.lock:
            fault = FAULTS_OF_RANGES[waiting.pop(0)] if waiting else FAULTS["well"]
        return fault(handler)

    pair.registry.seen.clear()
    pair.registry.trouble = trouble
    try:
        with Web(patience=IMPATIENT, environment={"HOME": "/nonexistent"}) as web:
            pull(Reference(pair.repository, None, pair.new.digest), user, web=web)
        assert user.read_blob(pair.blob.digest, limit=1 << 30) == NEW
    except PyContainerError as problem:
        assert problem.exit_code in (3, 75)
        assert not user.has_blob(pair.blob.digest)
    finally:
        pair.registry.trouble = None
    assert len(pair.registry.seen) < 150
    assert all(hash_file(path) == f"sha256:{path.name}" for path in user.blobs.folder.iterdir())
    assert fsck(user).whole
