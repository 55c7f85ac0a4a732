# SPDX-License-Identifier: MIT
"""The store keeps blobs, tags and attachments in a plain OCI image layout and refuses what is not right."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from pathlib import Path

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.errors import ConfigError, TryAgainError, VerificationError
from orchestrator.oci import (
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    Store,
    canonical_bytes,
    fsck,
)
from orchestrator.oci import index as index_module
from orchestrator.oci.files import Files


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


def put(store: Store, text: str = "x", artifact_type: str = "application/x") -> Descriptor:
    config = store.put_blob(b"{}", media_type=EMPTY_TYPE)
    layer = store.put_blob(text.encode())
    return store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type=artifact_type, config=config, layers=[layer])
    )


def test_the_layout_is_that_of_the_image_specification(store: Store):
    descriptor = put(store)
    store.tag("candidate/board", descriptor)
    assert json.loads((store.root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.root / "index.json").read_text())
    assert index["schemaVersion"] == 2
    assert index["mediaType"] == INDEX_TYPE
    assert index["manifests"] == [
        {
            "mediaType": MANIFEST_TYPE,
            "digest": descriptor.digest,
            "size": descriptor.size,
            "artifactType": "application/x",
            "annotations": {"org.opencontainers.image.ref.name": "candidate/board"},
        }
    ]
    for path in (store.root / "blobs" / "sha256").iterdir():
        assert sha256_digest(path.read_bytes()) == f"sha256:{path.name}"
        assert path.stat().st_mode & 0o222 == 0


def test_bytes_a_stream_and_a_file_give_one_blob(store: Store, tmp_path: Path):
    data = b"content" * 300_000
    (tmp_path / "file").write_bytes(data)
    found = [store.put_blob(data), store.put_blob(io.BytesIO(data)), store.put_blob(tmp_path / "file")]
    assert {one.digest for one in found} == {sha256_digest(data)}
    assert {one.size for one in found} == {len(data)}
    assert len(list(store.blobs.folder.iterdir())) == 1


@pytest.mark.parametrize("adopt", [False, True])
def test_a_damaged_blob_of_the_right_size_is_replaced(store: Store, tmp_path: Path, adopt: bool):
    digest = store.put_blob(b"whole").digest
    path = store.blob_path(digest)
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    (tmp_path / "source").write_bytes(b"whole")
    store.put_blob(tmp_path / "source", adopt=adopt)
    assert store.read_blob(digest) == b"whole"


def test_a_blob_that_is_here_is_not_written_again(store: Store, tmp_path: Path):
    digest = store.put_blob(b"content").digest
    before = store.blob_path(digest).stat()
    (tmp_path / "file").write_bytes(b"content")
    for source in (b"content", io.BytesIO(b"content"), tmp_path / "file"):
        store.put_blob(source)
    after = store.blob_path(digest).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_blob_of_the_wrong_size_is_replaced(store: Store):
    digest = store.put_blob(b"content").digest
    path = store.blob_path(digest)
    path.chmod(0o644)
    path.write_bytes(b"con")
    store.put_blob(b"content")
    assert store.read_blob(digest) == b"content"


def test_an_adopted_file_becomes_the_blob_by_a_hard_link(store: Store, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    digest = store.put_blob(tmp_path / "file", adopt=True).digest
    assert store.blob_path(digest).stat().st_ino == (tmp_path / "file").stat().st_ino


def test_a_file_that_is_not_adopted_stays_apart_from_the_blob(store: Store, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    digest = store.put_blob(tmp_path / "file").digest
    (tmp_path / "file").write_bytes(b"CONTENT")
    assert store.read_blob(digest) == b"content"


def test_an_adopted_symbolic_link_gives_the_file_behind_it(store: Store, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    digest = store.put_blob(tmp_path / "link", adopt=True).digest
    assert not store.blob_path(digest).is_symlink()
    assert store.read_blob(digest) == b"content"


@pytest.mark.parametrize("kind", ["bytes", "stream", "file"])
def test_bytes_with_another_digest_than_expected_never_enter(store: Store, tmp_path: Path, kind: str):
    (tmp_path / "file").write_bytes(b"wrong")
    source = {"bytes": b"wrong", "stream": io.BytesIO(b"wrong"), "file": tmp_path / "file"}[kind]
    with pytest.raises(VerificationError, match="not those of blob"):
        store.put_blob(source, expected=sha256_digest(b"right"))
    assert list(store.blobs.folder.iterdir()) == []
    assert list(store.blobs.temporary.iterdir()) == []


def test_an_endless_stream_is_cut_off(store: Store):
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return b"x" * size

    with pytest.raises(VerificationError, match="larger than allowed"):
        store.put_blob(Endless(), limit=5_000_000)
    assert list(store.blobs.temporary.iterdir()) == []


def test_a_source_that_is_not_there_is_a_clear_error(store: Store, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        store.put_blob(tmp_path / "none")
    assert "none" in caught.value.why


def test_a_damaged_blob_is_refused_on_reading(store: Store):
    digest = store.put_blob(b"content").digest
    path = store.blob_path(digest)
    path.chmod(0o644)
    path.write_bytes(b"CONTENT")
    with pytest.raises(VerificationError, match="is damaged"):
        store.read_blob(digest)
    with pytest.raises(VerificationError, match="is damaged"):
        store.verify_blob(digest)
    with pytest.raises(VerificationError, match="wrong size"):
        store.verify_blob(digest, 3)


def test_a_blob_larger_than_its_limit_is_not_read(store: Store):
    digest = store.put_blob(b"x" * 100).digest
    with pytest.raises(VerificationError, match="too large"):
        store.read_blob(digest, limit=99)
    assert len(store.read_blob(digest, limit=100)) == 100


@pytest.mark.parametrize("digest", ["sha256:" + "a" * 63, "sha256:../../etc/passwd", "sha512:" + "a" * 128, "x", ""])
def test_a_name_that_is_no_digest_never_becomes_a_path(store: Store, digest: str):
    with pytest.raises(ConfigError, match="not a digest"):
        store.blobs.path(digest)


def test_a_manifest_that_names_a_missing_blob_is_refused(store: Store):
    ghost = Descriptor(media_type=EMPTY_TYPE, digest="sha256:" + "a" * 64, size=2)
    with pytest.raises(VerificationError, match="not in the store"):
        store.put_manifest(Manifest(schema_version=2, media_type=MANIFEST_TYPE, config=ghost, layers=[]))
    with pytest.raises(VerificationError, match="cannot tag"):
        store.tag("name", ghost)


def test_a_tag_moves_and_another_stays(store: Store):
    one, two = put(store, "1"), put(store, "2")
    store.tag("a", one)
    store.tag("b", one)
    store.tag("a", two)
    assert {name: entry.digest for name, entry in store.tags().items()} == {"a": two.digest, "b": one.digest}
    assert store.resolve("c") is None


@pytest.mark.parametrize("name", ["", "/a", "a/", "a b", "a\n", "ä", "x" * 129, "a//b"])
def test_a_tag_out_of_form_is_refused(store: Store, name: str):
    with pytest.raises(ConfigError, match="not a tag"):
        store.tag(name, put(store))


def test_entries_and_members_of_other_tools_stay(store: Store):
    ours = put(store)
    foreign = {
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "digest": "sha256:" + "a" * 64,
        "size": 5,
        "platform": {"os": "linux", "architecture": "arm64"},
        "annotations": {"org.opencontainers.image.ref.name": "theirs", "their.own": "note"},
    }
    other = {"mediaType": "x/y", "digest": "sha512:" + "b" * 128, "size": 1, "urls": ["u"]}
    value = {"schemaVersion": 2, "manifests": [foreign, other], "annotations": {"who": "they"}}
    (store.root / "index.json").write_text(json.dumps(value))
    store.tag("ours", ours)
    store.attach(ours, "application/y", [store.put_blob(b"document")])
    found = json.loads((store.root / "index.json").read_text())
    assert found["annotations"] == {"who": "they"}
    assert found["manifests"][:2] == [foreign, other]
    assert len(found["manifests"]) == 4
    assert fsck(store).unknown == ["sha512:" + "b" * 128]


def test_a_layout_of_another_tool_can_be_added_to(tmp_path: Path):
    root = tmp_path / "theirs"
    (root / "blobs").mkdir(parents=True)
    (root / "blobs" / "sha256").mkdir()
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')
    (root / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    store = Store.open_or_create(root)
    store.tag("ours", put(store))
    assert fsck(store).whole


def test_attachments_are_found_by_subject_and_type(store: Store):
    one, two = put(store, "1"), put(store, "2")
    document = store.put_blob(b"document")
    first = store.attach(one, "application/spdx+json", [document])
    second = store.attach(one, "application/other", [document])
    store.attach(two, "application/spdx+json", [document])
    assert [entry.digest for entry in store.referrers(one.digest)] == [first.digest, second.digest]
    assert [entry.digest for entry in store.referrers(one.digest, "application/other")] == [second.digest]
    manifest = store.read_manifest(first.digest)
    assert manifest.subject is not None
    assert manifest.subject.digest == one.digest
    assert manifest.layers[0].digest == document.digest


def test_attaching_the_same_again_changes_nothing(store: Store):
    one = put(store)
    document = store.put_blob(b"document")
    store.attach(one, "application/x", [document])
    before = (store.root / "index.json").stat().st_ino
    store.attach(one, "application/x", [document])
    assert (store.root / "index.json").stat().st_ino == before


def test_an_attachment_may_replace_an_earlier_one_but_never_a_tagged_entry(store: Store):
    one = put(store)
    first = store.attach(one, "application/x", [store.put_blob(b"1")])
    second = store.attach(one, "application/x", [store.put_blob(b"2")], instead_of=[first.digest])
    assert [entry.digest for entry in store.referrers(one.digest)] == [second.digest]
    store.tag("kept", second)
    store.attach(one, "application/x", [store.put_blob(b"3")], instead_of=[second.digest])
    assert store.resolve("kept") is not None


def test_referrers_that_lie_about_their_subject_are_not_believed(store: Store):
    one, two = put(store, "1"), put(store, "2")
    attached = store.attach(two, "application/x", [store.put_blob(b"document")])
    entry = {
        "mediaType": MANIFEST_TYPE,
        "digest": attached.digest,
        "size": attached.size,
        "annotations": {"vnd.pycontainer.subject": one.digest},
    }
    (store.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    assert store.referrers(one.digest) == []


def test_referrers_of_other_tools_and_of_the_fallback_tag_are_found(store: Store):
    one = put(store)
    attached = store.attach(one, "application/x", [store.put_blob(b"document")])
    plain = {"mediaType": MANIFEST_TYPE, "digest": attached.digest, "size": attached.size}
    (store.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [plain]}))
    assert [entry.digest for entry in store.referrers(one.digest, "application/x")] == [attached.digest]
    listing = store.put_blob(json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [plain]}).encode())
    fallback = {
        "mediaType": INDEX_TYPE,
        "digest": listing.digest,
        "size": listing.size,
        "annotations": {"org.opencontainers.image.ref.name": one.digest.replace(":", "-")},
    }
    (store.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [fallback]}))
    assert [entry.digest for entry in store.referrers(one.digest, "application/x")] == [attached.digest]


def test_fsck_names_what_is_missing_damaged_and_left(store: Store):
    store.tag("a", put(store, "first"))
    store.tag("b", put(store, "second"))
    assert fsck(store).whole
    loose = store.put_blob(b"loose").digest
    (store.blobs.temporary / "abandoned").write_bytes(b"half")
    store.blob_path(sha256_digest(b"first")).unlink()
    damaged = store.blob_path(sha256_digest(b"second"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"SECOND")
    report = fsck(store)
    assert not report.whole
    assert {problem.digest for problem in report.problems} == {sha256_digest(b"first"), sha256_digest(b"second")}
    assert report.unreachable == [loose]
    assert [path.name for path in report.leftovers] == ["abandoned"]


def test_leftovers_go_when_the_store_is_opened_for_writing_but_not_those_of_the_living(store: Store):
    (store.blobs.temporary / "abandoned").write_bytes(b"half")
    with store.blobs.temporary_file() as (_, path):
        Store.open_or_create(store.root)
        assert [one.name for one in store.blobs.temporary.iterdir()] == [path.name]
    assert list(store.blobs.temporary.iterdir()) == []


def test_a_file_is_not_swept_while_it_is_being_adopted(store: Store, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    swept = []

    class Meddling(type(store._files)):
        def link(self, descriptor, target):
            super().link(descriptor, target)
            swept.extend(Store(store.root).blobs.sweep())

    Store(store.root, Meddling()).put_blob(tmp_path / "file", adopt=True)
    assert swept == []
    assert store.read_blob(sha256_digest(b"content")) == b"content"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schemaVersion":2}', '{"schemaVersion":1,"manifests":[]}',
     '{"schemaVersion":2,"manifests":{}}',
     '{"schemaVersion":2,"manifests":[1]}', '{"schemaVersion":2,"manifests":[{"annotations":[]}]}', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_index_is_one_clear_error(store: Store, text: str):
    (store.root / "index.json").write_text(text)
    with pytest.raises(VerificationError) as caught:
        store.tags()
    assert "index.json" in caught.value.what
    assert caught.value.hint


def test_one_tag_for_two_manifests_is_explained(store: Store):
    one, two = put(store, "1"), put(store, "2")
    entries = [
        {"mediaType": MANIFEST_TYPE, "digest": each.digest, "size": each.size,
         "annotations": {"org.opencontainers.image.ref.name": "a"}} for each in (one, two)
    ]  # fmt: skip
    (store.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    with pytest.raises(VerificationError, match="stands for two manifests"):
        store.tags()


def test_a_folder_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match="not a store"):
        Store.open_or_create(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    with pytest.raises(ConfigError, match="no store at"):
        Store.open(tmp_path / "photos")
    with pytest.raises(ConfigError):
        Store.open_or_create(tmp_path / "photos" / "cat.jpg")


def test_a_layout_of_another_version_is_refused(store: Store):
    (store.root / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')
    with pytest.raises(VerificationError, match=r"layout 1\.0\.0"):
        Store.open(store.root)


def test_many_writers_at_once_lose_nothing(store: Store):
    descriptors = [put(store, str(number)) for number in range(4)]

    def work(number: int) -> None:
        for turn in range(5):
            Store.open(store.root).tag(f"t{number}-{turn}", descriptors[number])

    children = []
    for number in range(4):
        if (child := os.fork()) == 0:
            try:
                work(number)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(store.tags()) == 20


def test_threads_that_share_a_store_lose_nothing(store: Store):
    descriptor = put(store)
    threads = [threading.Thread(target=store.tag, args=(f"t{number}", descriptor)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.tags()) == 8


def test_a_lock_that_is_held_for_long_asks_to_try_again(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_module, "_LOCK_TIMEOUT", 0.05)
    descriptor = put(store)
    with Store.open(store.root).locked():
        with pytest.raises(TryAgainError) as caught:
            store.tag("a", descriptor)
        assert caught.value.exit_code == 75
    store.tag("a", descriptor)


def test_canonical_bytes_do_not_depend_on_the_order_of_making():
    one = Descriptor(media_type="a/b", digest="sha256:" + "a" * 64, size=1, annotations={"x": "1", "y": "2"})
    two = Descriptor(annotations={"y": "2", "x": "1"}, size=1, digest="sha256:" + "a" * 64, media_type="a/b")
    assert canonical_bytes(one) == canonical_bytes(two)
    assert b" " not in canonical_bytes(one)


class Cloning(Files):
    """A file system that shares blocks, as btrfs and XFS do; `twist` is what happens to the source meanwhile."""

    def __init__(self, twist: bytes = b"") -> None:
        self.twist = twist
        self.writes = 0

    def clone(self, source: int, target: int) -> bool:
        os.write(target, self.twist or os.pread(source, 1 << 20, 0))
        return True

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        self.writes += 1
        super().write(descriptor, data)


def test_a_file_is_cloned_where_the_file_system_can(store: Store, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    files = Cloning()
    digest = Store(store.root, files).put_blob(tmp_path / "file").digest
    assert store.read_blob(digest) == b"content"
    assert files.writes == 0


def test_a_file_that_changes_while_it_is_stored_never_enters(store: Store, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(VerificationError, match="changed while it was read"):
        Store(store.root, Cloning(b"CONTENT")).put_blob(tmp_path / "file")
    assert list(store.blobs.folder.iterdir()) == []
    assert list(store.blobs.temporary.iterdir()) == []


def test_adoption_falls_back_to_a_copy_where_links_are_impossible(store: Store, tmp_path: Path):
    class NoLinks(Files):
        def link(self, descriptor: int, target: Path) -> None:
            raise OSError(errno.EXDEV, "another file system")

    (tmp_path / "file").write_bytes(b"content")
    digest = Store(store.root, NoLinks()).put_blob(tmp_path / "file", adopt=True).digest
    assert store.read_blob(digest) == b"content"
    assert (tmp_path / "file").stat().st_nlink == 1
    assert list(store.blobs.temporary.iterdir()) == []


def test_what_is_no_file_by_a_blobs_name_is_refused_without_waiting(store: Store):
    digest = sha256_digest(b"nobody writes to it")
    store.blobs.folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(store.blobs.folder / digest.removeprefix("sha256:"))
    with pytest.raises(VerificationError, match="cannot be read"):
        store.blobs.open(digest)
