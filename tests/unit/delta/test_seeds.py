# SPDX-License-Identifier: MIT
"""Indexes are attached once and found again; what is asked for chunks is what is likely to have them."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from orchestrator.delta import CHUNKS_TYPE, Seeds, attach_chunks, index_of, known_index, large_blobs
from orchestrator.delta import seeds as room
from orchestrator.delta.attach import INDEX_TYPE, OF
from orchestrator.errors import VerificationError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, Store, fsck

KIND = "application/vnd.pycontainer.rootfs"


def noise(seed: int, size: int = 1_200_000) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


def manifest(store: Store, *layers: tuple[str, bytes], kind: str = KIND, **extra: Descriptor) -> Descriptor:
    """Put a manifest with layers of these names into a store."""
    blobs = [
        store.put_blob(data, media_type=kind).plain(**{"vnd.pycontainer.layer": name, "vnd.pycontainer.role": "rootfs"})
        for name, data in layers
    ]
    config = store.put_blob(repr([name for name, _ in layers]).encode(), media_type="application/x")
    made = store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, config=config, layers=blobs, artifact_type="a/r", **extra)
    )
    store.index.add(made)
    return made


def layer(store: Store, of: Descriptor, number: int = 0) -> Descriptor:
    return store.read_manifest(of.digest).layers[number]


def digests(seeds: Seeds, blob: Descriptor) -> list[str]:
    return [index.digest for index in seeds.of(blob)]


def test_each_large_blob_has_one_index_and_small_ones_none(store: Store):
    one = noise(1)
    made = manifest(store, ("a", one), ("b", noise(2)), ("c", one), ("d", b"small"))
    attached = attach_chunks(store, made.digest)
    assert attached is not None
    assert attached.artifact_type == CHUNKS_TYPE
    listed = store.read_manifest(attached.digest).layers
    large = large_blobs(store.read_manifest(made.digest))
    assert [each.annotations[OF] for each in listed] == [blob.digest for blob in large]
    assert len(listed) == 2
    for blob in large:
        assert known_index(store, blob) == index_of(store, blob.digest)
    assert fsck(store).whole


def test_what_has_no_large_blob_gets_no_referrer(store: Store):
    made = manifest(store, ("a", b"small"))
    assert attach_chunks(store, made.digest) is None
    assert store.referrers(made.digest) == []


def test_indexes_are_not_made_twice(store: Store, monkeypatch: pytest.MonkeyPatch):
    first = manifest(store, ("a", noise(1)), ("b", noise(2)))
    attach_chunks(store, first.digest)
    second = manifest(store, ("a", noise(1)), ("b", noise(3)))
    cut: list[str] = []

    def counted(layout: Store, digest: str) -> object:
        cut.append(digest)
        return index_of(layout, digest)

    monkeypatch.setattr("orchestrator.delta.attach.index_of", counted)
    attach_chunks(store, second.digest)
    assert cut == [layer(store, second, 1).digest]
    attach_chunks(store, second.digest)
    assert len(cut) == 1


def test_an_index_that_is_none_is_made_anew(store: Store):
    made = manifest(store, ("a", noise(1)))
    wrong = store.put_blob(b"no index", media_type=INDEX_TYPE).plain(**{OF: layer(store, made).digest})
    store.attach(Descriptor(media_type=MANIFEST_TYPE, digest=made.digest, size=made.size), CHUNKS_TYPE, [wrong])
    assert known_index(store, layer(store, made)) is None
    assert digests(Seeds(store), layer(store, manifest(store, ("a", noise(2))))) == [layer(store, made).digest]
    attach_chunks(store, made.digest)
    assert known_index(store, layer(store, made)) == index_of(store, layer(store, made).digest)


def test_a_store_that_lacks_the_blob_says_so(store: Store):
    made = manifest(store, ("a", noise(1)))
    store.blob_path(layer(store, made).digest).unlink()
    with pytest.raises(VerificationError, match="not in the store"):
        attach_chunks(store, made.digest)


def test_the_same_place_goes_first_and_then_the_newest(store: Store):
    old = manifest(store, ("web", noise(1)), ("db", noise(2)))
    newer = manifest(store, ("web", noise(3)))
    wanted = layer(store, manifest(store, ("web", noise(4))))
    found = digests(Seeds(store), wanted)
    assert found == [layer(store, newer).digest, layer(store, old).digest, layer(store, old, 1).digest]


def test_blobs_of_another_kind_are_not_asked(store: Store):
    manifest(store, ("web", noise(1)), kind="application/vnd.pycontainer.kernel")
    assert digests(Seeds(store), layer(store, manifest(store, ("web", noise(2))))) == []


def test_a_blob_is_no_seed_of_itself(store: Store):
    made = manifest(store, ("web", noise(1)))
    assert digests(Seeds(store), layer(store, made)) == []


def test_only_so_many_are_asked(store: Store, monkeypatch: pytest.MonkeyPatch):
    for number in range(5):
        manifest(store, ("web", noise(number)))
    wanted = layer(store, manifest(store, ("web", noise(9))))
    monkeypatch.setattr(room, "_SEEDS", 2)
    assert len(digests(Seeds(store), wanted)) == 2
    monkeypatch.setattr("orchestrator.delta.attach.NEWEST", 2)  # one is that of the blob itself
    assert len(digests(Seeds(store), wanted)) == 1


def test_blobs_without_an_index_are_read_up_to_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch):
    first = manifest(store, ("web", noise(1)))
    manifest(store, ("web", noise(2)))
    wanted = layer(store, manifest(store, ("web", noise(9))))
    monkeypatch.setattr(room, "_CUT_MOST", 1_200_000)
    assert len(digests(Seeds(store), wanted)) == 1
    attach_chunks(store, first.digest)
    assert len(digests(Seeds(store), wanted)) == 2


def test_blobs_that_are_gone_are_no_seeds_here_but_elsewhere_with_an_index(store: Store):
    old = manifest(store, ("web", noise(1)))
    other = manifest(store, ("web", noise(2)))
    attach_chunks(store, old.digest)
    store.blob_path(layer(store, old).digest).unlink()
    wanted = layer(store, manifest(store, ("web", noise(9))))
    assert digests(Seeds(store), wanted) == [layer(store, other).digest]
    assert digests(Seeds(store, elsewhere={old.digest}), wanted) == [layer(store, old).digest]
    assert digests(Seeds(store, elsewhere={other.digest}), wanted) == [layer(store, other).digest]
    assert digests(Seeds(store, elsewhere=set()), wanted) == []


def test_several_layouts_are_one(store: Store, tmp_path: Path):
    other = Store.open_or_create(tmp_path / "other")
    old = manifest(other, ("web", noise(1)))
    wanted = layer(store, manifest(store, ("web", noise(9))))
    assert digests(Seeds(store, other), wanted) == [layer(other, old).digest]
    assert digests(Seeds(store, other, elsewhere={old.digest}), wanted) == [layer(other, old).digest]


def test_a_damaged_manifest_is_passed_over(store: Store):
    old = manifest(store, ("web", noise(1)))
    wanted = layer(store, manifest(store, ("web", noise(9))))
    path = store.blob_path(old.digest)
    path.chmod(0o644)
    path.write_bytes(b"{")
    assert digests(Seeds(Store.open(store.root)), wanted) == []


def test_indexes_that_were_packed_away_are_found(store: Store):
    old = manifest(store, ("web", noise(1)))
    attach_chunks(store, old.digest)
    store.pack(old.digest)
    wanted = layer(store, manifest(store, ("web", noise(9))))
    assert known_index(store, layer(store, old)) is not None
    assert digests(Seeds(store, elsewhere={old.digest}), wanted) == [layer(store, old).digest]
    assert attach_chunks(store, old.digest) == store.referrers(old.digest, CHUNKS_TYPE)[0]


def test_with_thousands_of_entries_it_takes_no_time(store: Store):
    none = [
        {"mediaType": MANIFEST_TYPE, "digest": f"sha256:{number:064x}", "size": 9}
        | ({"annotations": {"vnd.pycontainer.subject": "sha256:" + "0" * 64}} if number % 3 else {})
        for number in range(3000)
    ]
    store.index.update(lambda entries: [*entries, *none])
    old = manifest(store, ("web", noise(1)))
    attach_chunks(store, old.digest)
    wanted = layer(store, manifest(store, ("web", noise(9))))
    began = time.process_time()
    assert digests(Seeds(store), wanted) == [layer(store, old).digest]
    assert time.process_time() - began < 1


def test_what_somebody_has_is_found_though_no_entry_leads_to_it_any_more(store: Store):
    old = manifest(store, ("web", noise(1)))
    wanted = layer(store, manifest(store, ("web", noise(9))))
    store.index.update(lambda entries: [each for each in entries if each["digest"] != old.digest])
    assert digests(Seeds(store), wanted) == []
    assert digests(Seeds(store, elsewhere=[old.digest]), wanted) == [layer(store, old).digest]
