# SPDX-License-Identifier: MIT
"""What has a name stays, with all that it came from and all that belongs to it; what has none goes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from orchestrator.errors import ConfigError, TryAgainError, VerificationError
from orchestrator.history.check import check
from orchestrator.history.gc import collect
from orchestrator.history.names import Names, remote_tag
from orchestrator.oci import MANIFEST_TYPE, Manifest, Store, fsck
from orchestrator.oci.layout import EMPTY, THINNED
from orchestrator.revision import SPDX_TYPE, Revision, assemble
from tests.unit.history.sample import MACHINE, Works


def blobs(store: Store) -> set[str]:
    return {f"sha256:{path.name}" for path in store.blobs.folder.iterdir()}


def whole(works: Works) -> bool:
    store = Store.open(works.store.root)
    found = check(store, "demo", works.keys.public_keys(), 1)
    return found.whole and not found.unsigned


def test_only_what_lost_its_name_goes(works: Works) -> None:
    kept = works.history("one", "two")
    lost = works.build("5.0.0", "never committed")
    works.build("6.0.0", "the candidate now")
    before = blobs(works.store)
    tried = collect(works.store, dry_run=True)
    assert blobs(works.store) == before
    done = collect(works.store)
    assert (tried.revisions, tried.blobs, tried.bytes) == (done.revisions, done.blobs, done.bytes)
    assert lost.id in done.revisions or not works.store.has_blob(lost.id)
    gone = before - blobs(works.store)
    assert len(gone) == done.blobs
    assert lost.id in gone
    assert lost.manifest.config.digest in gone
    assert all(works.store.has_blob(revision.id) for revision in kept)
    for revision in kept:
        assert len(works.store.referrers(revision.id, SPDX_TYPE)) == 5
    assert fsck(works.store).unreachable == []
    assert whole(works)
    assert collect(works.store).blobs == 0


def test_a_tag_keeps_a_revision_and_all_it_came_from(works: Works) -> None:
    first, second = works.history("one", "two")
    lost = works.build("5.0.0", "tagged")
    works.store.tag("keep", lost.descriptor)
    works.build("6.0.0", "newest")
    collect(works.store)
    assert whole(works)
    assert works.names.load("keep") == lost
    works.store.index.untag("keep", keep=True)
    assert lost.id in collect(works.store).revisions
    assert not works.store.has_blob(lost.id)
    assert works.names.load("main~1") == first and works.names.load("main") == second


def test_what_was_last_seen_of_a_remote_stays(works: Works) -> None:
    works.history("one")
    other = works.build("5.0.0", "theirs")
    works.store.tag(remote_tag("origin", "main", MACHINE), other.descriptor)
    works.build("6.0.0", "newest")
    collect(works.store)
    assert works.names.load("origin/main") == other
    assert all(works.store.has_blob(blob.digest) for blob in other.blobs())


def test_a_pointer_with_a_tag_keeps_its_revision_and_one_without_goes(works: Works) -> None:
    works.history("one")
    pointed = works.build("5.0.0", "pointed at")
    kept = works.store.attach(pointed.descriptor, "application/x.pointer", [works.store.put_blob(b"kept")])
    works.store.index.tag(f"channel.pointer/main/{MACHINE}", kept)
    works.build("6.0.0", "newest")
    collect(works.store)
    assert works.store.has_blob(pointed.id)
    assert works.store.read_blob(works.store.read_manifest(kept.digest).layers[0].digest) == b"kept"


def test_an_attachment_of_an_attachment_stays(works: Works) -> None:
    made = works.history("one")[0]
    document = works.store.attach(made.descriptor, "application/x", [works.store.put_blob(b"a")])
    signature = works.store.attach(document, "application/y", [works.store.put_blob(b"b")])
    collect(works.store)
    assert [each.digest for each in works.store.referrers(document.digest)] == [signature.digest]


def test_what_somebody_else_put_there_without_a_name_stays(works: Works) -> None:
    works.history("one")
    foreign = works.store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type="application/z", config=EMPTY,
                 layers=[works.store.put_blob(b"foreign")])
    )  # fmt: skip
    works.store.index.add(foreign)
    collect(works.store)
    assert works.store.has_blob(foreign.digest)
    assert works.store.read_manifest(foreign.digest).layers[0].digest in blobs(works.store)


def test_a_damaged_store_is_left_alone(works: Works) -> None:
    first, _ = works.history("one", "two")
    works.build("5.0.0", "lost")
    works.build("6.0.0", "newest")
    path = works.store.blob_path(first.manifest.config.digest)
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    before = blobs(works.store)
    with pytest.raises(VerificationError):
        collect(works.store)
    assert blobs(works.store) == before


def thin_and_kept(made: list[Revision], works: Works) -> list[bool]:
    rootfs = [next(b.digest for b in each.blobs() if (b.layer, b.role) == ("web", "rootfs")) for each in made]
    return [works.store.has_blob(digest) for digest in rootfs]


@pytest.mark.parametrize("entry", ['{"digest":"x"}', '{"digest":"sha256:12","size":1,"mediaType":"a/b"}', "{}"])
def test_an_index_with_a_damaged_entry_is_no_reason_to_remove_anything(works: Works, entry: str) -> None:
    works.history("one")
    works.store.index.path.write_text(f'{{"schemaVersion":2,"manifests":[{entry}]}}')
    before = blobs(works.store)
    with pytest.raises(VerificationError, match="is damaged"):
        collect(works.store)
    assert blobs(works.store) == before
    assert not fsck(works.store).whole


def test_an_entry_of_another_algorithm_is_no_damage(works: Works) -> None:
    works.history("one")
    entry = {"digest": "sha512:" + "0" * 128, "size": 1, "mediaType": MANIFEST_TYPE}
    works.store.index.update(lambda entries: [*entries, entry])
    collect(works.store)
    assert fsck(works.store).unknown == [entry["digest"]]
    assert whole(works)


def test_old_revisions_give_up_their_blobs_and_keep_their_history(works: Works) -> None:
    made = works.history("one", "two", "three", "four")
    works.store.tag("release", made[0].descriptor)
    done = collect(works.store, keep=2)
    assert thin_and_kept(made, works) == [True, False, True, True]
    assert done.thinned == [made[1].id]
    assert whole(works)
    noted = [entry.digest for entry in works.store.entries() if THINNED in entry.annotations]
    assert noted == [made[1].id]
    assert works.names.load("main~2") == made[1]
    assert len(works.store.referrers(made[1].id, SPDX_TYPE)) == 5
    assert collect(works.store, keep=2).thinned == []
    assert collect(works.store).blobs == 0
    with pytest.raises(VerificationError, match="is not in the store"):
        works.store.tag("again", made[1].descriptor)


def test_blobs_that_come_back_make_a_revision_whole_again(works: Works) -> None:
    made = works.history("one", "two", "three")
    collect(works.store, keep=1)
    assert thin_and_kept(made, works) == [False, False, True]
    works.store.put_blob(b"squashfs of web one")
    collect(works.store)
    assert {entry.digest for entry in works.store.entries() if THINNED in entry.annotations} == {made[1].id}
    assert whole(works)


def test_loose_attachments_are_packed_and_stay(works: Works) -> None:
    made = works.history("one")[0]
    store = works.store
    for number in range(5):
        store.attach(made.descriptor, "application/x", [store.put_blob(b"%d" % number)])
    other = works.build("2.0.0", "another")
    store.index.untag(f"sha256-{other.hex}", keep=False)
    for number in range(3):
        store.attach(other.descriptor, "application/x", [store.put_blob(b"o%d" % number)])
    assert len([entry for entry in store.entries() if entry.artifact_type == "application/x"]) == 3
    collect(store)
    assert len([entry for entry in store.entries() if entry.artifact_type == "application/x"]) == 0
    assert len(store.referrers(made.id, "application/x")) == 5
    assert len(store.referrers(other.id, "application/x")) == 3


def test_a_collector_waits_for_writers_and_then_gives_up(works: Works) -> None:
    works.history("one")
    other = Store.open(works.store.root)
    with other.writing(), pytest.raises(TryAgainError, match="writing to the store"):
        collect(works.store, wait=0.1)
    collect(works.store, wait=0.1)


def test_a_writer_that_held_no_lock_is_told_and_the_store_stays_whole(works: Works) -> None:
    works.history("one")
    store = works.store
    lost = store.put_blob(b"put before the collector came")
    manifest = store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type="application/z", config=EMPTY, layers=[lost])
    )
    collect(store)
    with pytest.raises((VerificationError, ConfigError)):
        store.tag("mine", manifest)
    assert whole(works)


def test_a_commit_that_waits_for_signatures_stays_until_the_head_has_moved_on(works: Works) -> None:
    (head,) = works.history("one")
    store = works.store
    blobs_of = works.build("2.0.0", "two")
    config = msgspec.structs.replace(blobs_of.config, message="waits", parents=[head.id])
    waiting = assemble(store, config, blobs_of.blobs())
    store.index.add(waiting.descriptor)
    works.build("3.0.0", "three")
    assert waiting.id not in collect(store).revisions
    assert works.names.load(waiting.short) == waiting
    works.commit("three")
    assert waiting.id in collect(store).revisions
    assert not store.has_blob(waiting.id)


def test_temporary_files_of_killed_commands_go(works: Works) -> None:
    works.history("one")
    (works.store.root / ".tmp" / ("0" * 32)).write_bytes(b"half")
    assert collect(works.store).temporary == 1
    assert list((works.store.root / ".tmp").iterdir()) == []


def test_shallow_history_is_no_damage(works: Works) -> None:
    first, second = works.history("one", "two")
    works.store.index.drop({first.id})
    works.store.index.untag(f"sha256-{first.hex}", keep=False)
    works.store.blob_path(first.id).unlink()
    collect(works.store)
    found = check(works.store, "demo", works.keys.public_keys(), 1)
    assert found.whole
    assert found.shallow == [second.id]
    assert not works.store.has_blob(first.manifest.config.digest)


def test_a_missing_revision_is_damage_when_the_store_lists_it(works: Works) -> None:
    first, _ = works.history("one", "two")
    works.store.blob_path(first.id).unlink()
    assert not check(works.store, "demo", works.keys.public_keys(), 1).whole


def test_a_revision_that_nobody_signed_is_named(works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = works.history("one")[0]
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "others"))
    found = check(works.store, "demo", works.keys.public_keys(), 1)
    assert found.whole
    assert [each.digest for each in found.unsigned] == [made.id]


def test_another_channel_is_kept_as_well(works: Works) -> None:
    works.history("one")
    from orchestrator.history.record import commit

    works.build("2.0.0", "beta")
    made = commit(Names(works.store, MACHINE, "beta"), works.keys, "beta").revision
    works.build("3.0.0", "newest")
    collect(works.store)
    assert works.names.load("beta") == made
    assert whole(works)
