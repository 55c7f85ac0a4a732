# SPDX-License-Identifier: MIT
"""Container images as inputs: chosen by name and platform, checked to the last byte, merged into one tree."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, PyContainerError, VerificationError
from orchestrator.layers.archive import ArchiveSource
from orchestrator.layers.image import ImageSource, layout_source
from orchestrator.layers.imageconfig import parse_image_config
from orchestrator.layers.inputs import Loaded
from orchestrator.layers.nodes import Device, Fifo, File
from orchestrator.layers.tree import Limits
from orchestrator.oci.platform import parse_platform

from .images import (
    CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX,
    LAYER,
    MANIFEST,
    Layout,
    compressed,
    digest_of,
    entry,
    folder,
    hard,
    link,
    named,
    on,
    tar,
)

BASE = tar(folder("bin"), entry("bin/server", data=b"#!", mode=0o755), entry("old", data=b"1"))
UPPER = tar(entry(".wh.old"), entry("new", data=b"2"))
SKIPPABLE = struct.pack("<II", 0x184D2A50, 5) + b"hello"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def load(layout: Layout, tmp_path: Path):
    """Load the image that a layout's index has under a name for a platform."""

    def run(name: str = "", platform: str = "linux/amd64", limits: Limits | None = None, digest: str = "") -> Loaded:
        source = layout_source(layout.root, name, digest, parse_platform(platform), "oci:it")
        return source.load(tmp_path / "work", limits or Limits(), 99)

    return run


def names(loaded: Loaded) -> list[bytes]:
    return [path for path, _ in loaded.tree.walk()]


def text(loaded: Loaded, path: bytes) -> bytes:
    node = loaded.tree.get(path)
    assert isinstance(node, File)
    return b"".join(node.content.chunks())


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_the_layers_of_an_image_become_one_tree_and_what_they_removed_is_kept(layout, load, how):
    layout.index(layout.image(BASE, UPPER, how=how, config=None))
    loaded = load()
    assert names(loaded) == [b"bin", b"bin/server", b"new"]
    assert text(loaded, b"new") == b"2"
    assert loaded.removed == (b"old",)
    assert loaded.config == {"Cmd": ["/bin/server"]}
    assert loaded.tree.root.mtime == 99


def test_a_path_that_a_later_layer_brings_back_is_not_called_removed(layout, load):
    layout.index(layout.image(BASE, UPPER, tar(entry("old", data=b"3"))))
    assert load().removed == ()


def test_a_docker_image_of_schema_2_is_read(layout, load):
    layout.index(layout.image(BASE, UPPER, docker=True))
    assert names(load()) == [b"bin", b"bin/server", b"new"]


def test_an_image_without_layers_is_an_empty_tree(layout, load):
    layout.index(layout.image())
    assert names(load()) == []


def layer_image(layout: Layout, blob: bytes, diff_id: str, kind: str, **more: Any) -> None:
    descriptor = layout.blob(blob, kind) | more
    config = layout.config([], rootfs={"type": "layers", "diff_ids": [diff_id]})
    layout.index(
        layout.document({"schemaVersion": 2, "config": config, "layers": [descriptor]}, MANIFEST),
    )


@pytest.mark.parametrize(
    ("blob", "ending"),
    [
        (gzip.compress(BASE[:700], mtime=0) + gzip.compress(BASE[700:], mtime=0), "+gzip"),
        (zstandard.compress(BASE[:700]) + zstandard.compress(BASE[700:]), "+zstd"),
        (SKIPPABLE + zstandard.compress(BASE) + SKIPPABLE, "+zstd"),
    ],
    ids=["gzip members", "zstd frames", "skippable frames"],
)
def test_streams_of_several_members_are_read_whole(layout, load, blob: bytes, ending: str):
    layer_image(layout, blob, digest_of(BASE), LAYER + ending)
    assert names(load()) == [b"bin", b"bin/server", b"old"]


@pytest.mark.parametrize(
    ("blob", "ending", "words"),
    [
        (gzip.compress(BASE, mtime=0)[:-3], "+gzip", "the stream is truncated"),
        (gzip.compress(BASE, mtime=0) + b"garbage", "+gzip", "cannot be uncompressed"),
        (gzip.compress(BASE, mtime=0)[:-6] + b"\1\2\3\4\5\6", "+gzip", "cannot be uncompressed"),
        (zstandard.compress(BASE)[:-3], "+zstd", "the stream is truncated"),
        (zstandard.compress(BASE) + b"garbage", "+zstd", "cannot be uncompressed"),
        (SKIPPABLE[:-1], "+zstd", "the stream is truncated"),
        (b"", "+gzip", "the stream is truncated"),
        (BASE, "+gzip", "cannot be uncompressed"),
        (zstandard.compress(BASE), "+gzip", "cannot be uncompressed"),
        (gzip.compress(BASE, mtime=0), "", "is damaged"),
    ],
)
def test_a_stream_that_is_not_what_its_media_type_says_is_refused(layout, load, blob: bytes, ending: str, words: str):
    layer_image(layout, blob, digest_of(BASE), LAYER + ending)
    with pytest.raises(VerificationError, match=words):
        load()


@pytest.mark.parametrize("ending", ["", "+gzip"])
def test_the_digest_of_the_tar_is_checked_to_its_very_end(layout, load, ending: str):
    longer = BASE + bytes(10240)  # a tar reader stops long before
    blob = gzip.compress(longer, mtime=0) if ending else longer
    layer_image(layout, blob, digest_of(BASE), LAYER + ending)
    with pytest.raises(VerificationError, match="is damaged") as caught:
        load()
    assert digest_of(BASE) in caught.value.why
    layer_image(layout, blob, digest_of(longer), LAYER + ending)
    assert b"bin" in names(load())


def test_bytes_that_are_not_those_of_the_digest_are_refused_whatever_they_uncompress_to(layout, load):
    layer_image(layout, gzip.compress(BASE, 9, mtime=0), digest_of(BASE), LAYER + "+gzip")
    blob = layout.path(digest_of(gzip.compress(BASE, 9, mtime=0)))
    blob.write_bytes(blob.read_bytes()[:4] + b"\7" + blob.read_bytes()[5:])  # the time in gzip's header
    with pytest.raises(VerificationError, match="OCI layer 1 is damaged"):
        load()


def test_the_size_of_a_blob_is_checked(layout, load):
    layer_image(layout, gzip.compress(BASE, mtime=0), digest_of(BASE), LAYER + "+gzip", size=10)
    with pytest.raises(VerificationError, match="is damaged") as caught:
        load()
    assert "10 were announced" in caught.value.why


@pytest.mark.parametrize("victim", ["manifest", "config"])
def test_a_damaged_document_is_refused(layout, load, victim: str):
    manifest = layout.image(BASE)
    layout.index(manifest)
    document = json.loads(layout.path(manifest["digest"]).read_bytes())
    path = layout.path(manifest["digest"] if victim == "manifest" else document["config"]["digest"])
    path.write_bytes(path.read_bytes().replace(b"2", b"3").replace(b"amd64", b"AMD64"))
    with pytest.raises(VerificationError, match="is damaged"):
        load()


def test_a_missing_layer_is_named(layout, load):
    manifest = layout.image(BASE, how="none")
    layout.index(manifest)
    layout.path(digest_of(BASE)).unlink()
    with pytest.raises(VerificationError, match="is not whole") as caught:
        load()
    assert digest_of(BASE) in caught.value.why


def test_a_blob_that_is_a_link_is_refused(layout, load, tmp_path):
    layout.index(layout.image(BASE, how="none"))
    path = layout.path(digest_of(BASE))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VerificationError, match="is refused"):
        load()


def test_the_number_of_diff_ids_is_that_of_the_layers(layout, load):
    config = layout.config([BASE])
    layout.index(layout.image(BASE, UPPER, config=config))
    with pytest.raises(VerificationError) as caught:
        load()
    assert "2 OCI layers, its configuration 1" in caught.value.why


@pytest.mark.parametrize("how", ["gzip", "zstd", "none"])
def test_a_bomb_is_refused_before_it_fills_the_disk(layout, load, tmp_path, how: str):
    layout.index(layout.image(tar(entry("zeros", data=bytes(4 * 2**20))), how=how))
    with pytest.raises(VerificationError, match="is too large"):
        load(limits=Limits(size=2**20, spare=2**20))
    assert sum(path.stat().st_size for path in (tmp_path / "work").glob("*")) == 0 if how != "none" else True


def test_the_size_limit_is_that_of_all_layers_together(layout, load):
    layers = [tar(entry(f"f{number}", data=bytes(2**20))) for number in range(3)]
    layout.index(layout.image(*layers))
    with pytest.raises(VerificationError, match="is too large"):
        load(limits=Limits(size=5 * 2**19, spare=0))
    assert len(names(load())) == 3


def test_the_same_layer_may_come_twice(layout, load):
    layout.index(layout.image(BASE, UPPER, BASE))
    assert names(load()) == [b"bin", b"bin/server", b"new", b"old"]


def test_every_kind_of_entry_and_attribute_survives(layout, load):
    awkward = "ünï\udcff\nname"
    long = "/".join(["long" * 20] * 4)
    layer = tar(
        entry("su", mode=0o6755, uid=70_000, gid=70_001, mtime=2**33, pax_headers={"SCHILY.xattr.user.empty": ""}),
        entry("cap", pax_headers={"SCHILY.xattr.security.capability": "\1\0\0\2\0\4"}),
        entry("overlay", pax_headers={"SCHILY.xattr.trusted.overlay.opaque": "y"}),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=0),
        entry("pipe", tarfile.FIFOTYPE),
        entry(awkward),
        entry(long, mtime=0),
        hard("same", "su"),
        link("to", long),
    )
    layout.index(layout.image(layer))
    loaded = load()
    tree = loaded.tree
    su = tree.get(b"su")
    assert (su.mode, su.uid, su.gid, su.mtime) == (0o6755, 70_000, 70_001, 2**32 - 1)
    assert dict(su.xattrs) == {b"user.empty": b""}
    assert tree.get(b"same") is su
    assert dict(tree.get(b"cap").xattrs) == {b"security.capability": b"\1\0\0\2\0\4"}
    assert dict(tree.get(b"overlay").xattrs) == {}
    assert tree.notes == ["extended attributes trusted.overlay.opaque are dropped: the image cannot carry them"]
    null, disk = tree.get(b"null"), tree.get(b"disk")
    assert isinstance(null, Device)
    assert isinstance(disk, Device)
    assert (null.block, null.major, null.minor, disk.block) == (False, 1, 3, True)
    assert isinstance(tree.get(b"pipe"), Fifo)
    assert tree.get(awkward.encode("utf-8", "surrogateescape")) is not None
    assert tree.get(b"to") is tree.get(long.encode())
    assert tree.get(long.encode()).mtime == 0


def test_sparse_files_keep_their_size_and_their_bytes(layout, load):
    sparse = io.BytesIO()
    info = tarfile.TarInfo("sparse")
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000"}
    data = b"1\n500000\n4\n".ljust(512, b"\0") + b"data"
    info.size, info.pax_headers = len(data), pax
    with tarfile.open(fileobj=sparse, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(data))
    layout.index(layout.image(sparse.getvalue()))
    assert text(load(), b"sparse") == bytes(500_000) + b"data" + bytes(499_996)


def test_the_right_platform_is_taken_out_of_an_index(layout, load):
    arm = layout.image(tar(entry("arm")), architecture="arm64", variant="v8")
    pc = layout.image(tar(entry("pc")))
    proof = layout.image(tar(entry("proof")))
    proof |= {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    entries = [on(proof, "unknown/unknown"), on(arm, "linux/arm64/v8"), on(pc, "linux/amd64")]
    for kind in (INDEX, DOCKER_LIST):
        document = {"schemaVersion": 2, "mediaType": kind, "manifests": entries}
        layout.index(named(layout.document(document, kind), "all"))
        assert names(load("all")) == [b"pc"]
        assert names(load("all", "linux/arm64")) == [b"arm"]
        assert names(load("", "linux/arm64/v8")) == [b"arm"]
        with pytest.raises(ConfigError, match="no image for linux/riscv64") as caught:
            load("all", "linux/riscv64")
        assert "linux/amd64, linux/arm64/v8" in caught.value.why


def test_an_index_of_the_layout_itself_may_have_the_platforms(layout, load):
    arm = layout.image(tar(entry("arm")), architecture="arm64")
    pc = layout.image(tar(entry("pc")))
    layout.index(named(arm, "x"), named(pc, "x"))  # without platforms: the configurations say them
    assert names(load("x")) == [b"pc"]
    assert names(load("", "linux/arm64")) == [b"arm"]


def test_an_index_named_by_its_digest_is_chosen_from(layout, tmp_path):
    arm = layout.image(tar(entry("arm")), architecture="arm64")
    pc = layout.image(tar(entry("pc")))
    document = {"schemaVersion": 2, "manifests": [on(arm, "linux/arm64"), on(pc, "linux/amd64")]}
    index = layout.document(document, INDEX)
    (layout.root / "index.json").unlink(missing_ok=True)  # a cache of pulled images has none
    (layout.root / "oci-layout").unlink()
    source = ImageSource(layout.root, index["digest"], parse_platform("linux/arm64"))
    assert names(source.load(tmp_path / "work", Limits(), 0)) == [b"arm"]
    assert source.digest() != ImageSource(layout.root, index["digest"], parse_platform("linux/amd64")).digest()


def test_an_image_for_another_processor_is_refused(layout, load):
    layout.index(layout.image(BASE, architecture="arm64"))
    with pytest.raises(ConfigError, match="is for linux/arm64") as caught:
        load()
    assert "needs linux/amd64" in caught.value.why


def test_what_an_index_says_of_an_image_must_hold(layout, load):
    layout.index(layout.image(BASE) | {"size": 3})
    with pytest.raises(VerificationError, match="is damaged"):
        load()
    layout.index(layout.image(BASE) | {"mediaType": DOCKER_MANIFEST})
    with pytest.raises(VerificationError, match="of another kind"):
        load()


def test_one_of_several_images_must_be_named(layout, load):
    layout.index(named(layout.image(BASE), "one"), named(layout.image(UPPER), "two"))
    assert names(load("two")) == [b"new"]
    with pytest.raises(ConfigError, match="has several images") as caught:
        load()
    assert caught.value.why == "one, two"
    with pytest.raises(ConfigError, match="has no image 'three'") as caught:
        load("three")
    assert caught.value.why == "it has: one, two"


def test_an_image_may_be_named_by_its_digest(layout, load):
    one = layout.image(BASE)
    layout.index(layout.image(UPPER))
    assert names(load(digest=one["digest"])) == [b"bin", b"bin/server", b"old"]
    with pytest.raises(VerificationError, match="is not whole"):
        load(digest=digest_of(b"other"))


def test_indexes_that_are_nested_too_deeply_are_refused(layout, load):
    inner = layout.image(BASE)
    for _ in range(3):
        inner = layout.document({"schemaVersion": 2, "manifests": [inner]}, INDEX)
    layout.index(inner)
    assert names(load()) == [b"bin", b"bin/server", b"old"]
    layout.index(layout.document({"schemaVersion": 2, "manifests": [inner]}, INDEX))
    with pytest.raises(VerificationError, match="is refused"):
        load()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("oci-layout", "{}", "no OCI image layout"),
        ("oci-layout", None, "is refused"),
        ("index.json", None, "is refused"),
        ("index.json", "x" * (4 * 2**20 + 1), "is refused"),
        ("index.json", "[]", "does not have the right form"),
        ("index.json", '{"schemaVersion":2,"manifests":[]}', "has no image"),
    ],
)
def test_a_folder_that_is_no_layout_is_refused(layout, load, name: str, data: str | None, words: str):
    layout.index(layout.image(BASE))
    (layout.root / name).unlink()
    if data is not None:
        (layout.root / name).write_text(data)
    with pytest.raises((ConfigError, VerificationError), match=words):
        load()


def test_a_hostile_layer_is_named_in_the_complaint(layout, load):
    layout.index(layout.image(BASE, tar(hard("x", "missing"))))
    with pytest.raises(VerificationError, match="image oci:it: OCI layer 2 is refused: the hard link x"):
        load()
    layout.index(layout.image(BASE, tar(entry("../x"))))
    with pytest.raises(VerificationError, match=r"image oci:it: OCI layer 2 is refused: the name \.\./x"):
        load()


def pack(path: Path, members: dict[str, bytes | str], how: str = "none") -> Path:
    """Write an archive; a text is the target of a symbolic link."""
    entries = [link(name, data) if isinstance(data, str) else entry(name, data=data) for name, data in members.items()]
    path.write_bytes(compressed(tar(*entries), how))
    return path


def docker_archive(path: Path, *images: tuple[list[str] | None, list[bytes]], how: str = "none", **more: Any) -> Path:
    members: dict[str, bytes | str] = {}
    listed = []
    for tags, tars in images:
        config = {
            "os": "linux",
            "architecture": "amd64",
            "config": {"Cmd": ["x"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in tars]},
        }
        data = json.dumps(config | more).encode()
        name = digest_of(data).removeprefix("sha256:") + ".json"
        members[name] = data
        layers = [digest_of(each)[7:] + ".tar" for each in tars]
        members |= dict(zip(layers, tars, strict=True))
        listed.append({"Config": name, "RepoTags": tags, "Layers": layers})
    members["manifest.json"] = json.dumps(listed).encode()
    return pack(path, members, how)


def archive(path: Path, form: Any = "docker", name: str = "", platform: str = "linux/amd64") -> ArchiveSource:
    return ArchiveSource(path, form, name, parse_platform(platform), f"{form}-archive:{path.name}")


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_a_docker_archive_is_read_plain_and_compressed(tmp_path, how: str):
    source = archive(docker_archive(tmp_path / "a.tar", (["registry.example/app:1"], [BASE, UPPER]), how=how))
    loaded = source.load(tmp_path / "work", Limits(), 0)
    assert names(loaded) == [b"bin", b"bin/server", b"new"]
    assert loaded.removed == (b"old",)
    assert source.digest() == source.digest()


def test_layers_of_a_docker_archive_may_be_compressed_and_linked(tmp_path):
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [digest_of(BASE), digest_of(UPPER)]},
    }
    members = {
        "c.json": json.dumps(config).encode(),
        "one/layer.tar": gzip.compress(BASE, mtime=0),
        "two/layer.tar": "../three/layer.tar",
        "three/layer.tar": zstandard.compress(UPPER),
        "manifest.json": b'[{"Config":"c.json","RepoTags":null,"Layers":["one/layer.tar","two/layer.tar"]}]',
    }
    loaded = archive(pack(tmp_path / "a.tar", members)).load(tmp_path / "work", Limits(), 0)
    assert names(loaded) == [b"bin", b"bin/server", b"new"]


def test_one_of_several_images_of_a_docker_archive_must_be_named(tmp_path):
    path = docker_archive(
        tmp_path / "a.tar", (["registry.example/one:1", "registry.example/one:2"], [BASE]), (["two:1"], [UPPER])
    )
    for name in ("registry.example/one:2", "one:1"):
        assert b"bin" in names(archive(path, name=name).load(tmp_path / "work", Limits(), 0))
    assert names(archive(path, name="two:1").load(tmp_path / "work", Limits(), 0)) == [b"new"]
    for name, words in (("", "has several images"), ("one", "has no images"), ("three:1", "has no images")):
        with pytest.raises(ConfigError, match=words) as caught:
            archive(path, name=name).digest()
        assert "registry.example/one:1, registry.example/one:2, two:1" in caught.value.why


def test_a_docker_archive_for_another_processor_is_refused(tmp_path):
    path = docker_archive(tmp_path / "a.tar", (None, [BASE]), architecture="arm64")
    with pytest.raises(ConfigError, match="is for linux/arm64"):
        archive(path).load(tmp_path / "work", Limits(), 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: members.pop("manifest.json"), "is refused"),
        (lambda members: members.update({"manifest.json": b"[]"}), "is refused"),
        (lambda members: members.update({"manifest.json": b'{"Config":"x"}'}), "does not have the right form"),
        (lambda members: members.pop(digest_of(BASE)[7:] + ".tar"), "is not whole"),
        (lambda members: members.update({digest_of(BASE)[7:] + ".tar": UPPER}), "is damaged"),
        (lambda members: members.update({digest_of(BASE)[7:] + ".tar": "/etc/passwd"}), "is not whole"),
    ],
)
def test_a_docker_archive_that_is_not_whole_is_refused(tmp_path, change, words: str):
    with tarfile.open(docker_archive(tmp_path / "a.tar", (["a:1"], [BASE]))) as opened:
        members = {each.name: opened.extractfile(each).read() for each in opened}
    change(members)
    with pytest.raises(VerificationError, match=words):
        archive(pack(tmp_path / "b.tar", members)).load(tmp_path / "work", Limits(), 0)


@pytest.mark.parametrize("how", ["none", "gzip"])
def test_a_tar_of_a_layout_is_read(layout, tmp_path, how: str):
    layout.index(named(layout.image(BASE, UPPER), "app:1"), named(layout.image(UPPER), "other"))
    with tarfile.open(tmp_path / "plain.tar", "w") as opened:
        opened.add(layout.root, ".")
    path = tmp_path / "a.tar"
    path.write_bytes(compressed((tmp_path / "plain.tar").read_bytes(), how))
    source = archive(path, "oci", "app:1")
    assert names(source.load(tmp_path / "work", Limits(), 0)) == [b"bin", b"bin/server", b"new"]
    assert source.digest() != archive(path, "oci", "other").digest()
    with pytest.raises(ConfigError, match="has several images"):
        archive(path, "oci").load(tmp_path / "work", Limits(), 0)


def test_the_digest_of_an_archive_is_that_of_its_image_and_not_of_its_packing(tmp_path):
    one = archive(docker_archive(tmp_path / "a.tar", (["a:1"], [BASE])))
    two = archive(docker_archive(tmp_path / "b.tar", (["b:1"], [BASE])), name="b:1")
    other = archive(docker_archive(tmp_path / "c.tar", (["a:1"], [UPPER])))
    assert one.digest() == two.digest() != other.digest()


@pytest.mark.parametrize("data", [b"", b"no tar at all", bytes(1024), gzip.compress(b"x", mtime=0)[:-1]])
def test_a_file_that_is_no_archive_is_refused(tmp_path, data: bytes):
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    for form in ("oci", "docker"):
        with pytest.raises(VerificationError):
            archive(path, form).load(tmp_path / "work", Limits(), 0)


WORDS = st.sampled_from(
    [
        *("mediaType", "digest", "size", "config", "layers", "manifests", "schemaVersion", "platform", "os", "rootfs"),
        *("architecture", "diff_ids", "type", "Config", "Layers", "RepoTags", "Env", "Cmd", "Healthcheck", "Labels"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**65) | st.text(max_size=5) | st.just(digest_of(BASE)) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def changed(value: Any, path: list[int], replacement: Any) -> Any:
    """Replace one value somewhere inside a document; `path` chooses where."""
    if not path or not value or not isinstance(value, (dict, list)):
        return replacement
    if isinstance(value, list):
        place = path[0] % len(value)
        return [changed(each, path[1:], replacement) if n == place else each for n, each in enumerate(value)]
    key = sorted(value)[path[0] % len(value)]
    return value | {key: changed(value[key], path[1:], replacement)}


def read_or_refuse(source: Any, work: Path) -> None:
    try:
        parse_image_config(source().load(work, Limits(size=2**20, spare=2**20), 0).config)
    except PyContainerError as problem:
        assert problem.what
        assert problem.exit_code in (2, 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.sampled_from(["index", "manifest", "config", "docker"]), st.lists(st.integers(0, 9), max_size=5), VALUES)
def test_a_document_with_a_wrong_value_and_the_right_digest_is_read_or_refused_in_words(
    tmp_path_factory, what: str, path: list[int], replacement: Any
):
    root = tmp_path_factory.mktemp("hostile")
    config: Any = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Cmd": ["x"], "Env": ["A=b"], "Labels": {"a": "b"}, "Healthcheck": {"Test": ["CMD", "x"]}},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(BASE)]},
    }
    if what == "config":
        config = changed(config, path, replacement)
    if what == "docker":
        listed = changed([{"Config": "c", "RepoTags": ["a:1"], "Layers": ["l"]}], path, replacement)
        members = {"manifest.json": json.dumps(listed).encode(), "c": json.dumps(config).encode(), "l": BASE}
        file = pack(root / "a.tar", members)
        read_or_refuse(lambda: archive(file), root / "work")
        return
    layout = Layout(root / "layout")
    manifest: Any = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.document(config, CONFIG),
        "layers": [layout.blob(BASE, LAYER)],
    }
    manifest = changed(manifest, path, replacement) if what == "manifest" else manifest
    index: Any = {"schemaVersion": 2, "manifests": [on(layout.document(manifest, MANIFEST), "linux/amd64")]}
    index = changed(index, path, replacement) if what == "index" else index
    (layout.root / "index.json").write_text(json.dumps(index))
    platform = parse_platform("linux/amd64")
    read_or_refuse(lambda: layout_source(layout.root, "", "", platform, "it"), root / "work")
