# SPDX-License-Identifier: MIT
"""Tars in every compression and folders become trees; what is damaged or too large is refused."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import tarfile

import pytest
import zstandard

from orchestrator.canonical import hash_file
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.directory import Owner
from orchestrator.layers.inputs import DirectorySource, TarSource, uncompressed
from orchestrator.layers.nodes import File, Symlink
from orchestrator.layers.tree import Limits


def tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        info = tarfile.TarInfo("etc/motd")
        info.size = 200_000
        archive.addfile(info, io.BytesIO(b"hello you!" * 20_000))
    return sink.getvalue()


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
FORMS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "xz": lzma.compress,
    "xz of two streams with padding": lambda data: lzma.compress(data[:700]) + bytes(8) + lzma.compress(data[700:]),
    "xz with padding at the end": lambda data: lzma.compress(data) + bytes(5000),
    "zstd": zst,
    "zstd of two frames": lambda data: zst(data[:700]) + zst(data[700:]),
    "zstd after a skippable frame": lambda data: SKIPPABLE + zst(data),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_tar_is_read_in_every_compression(tmp_path, form):
    path = tmp_path / "rootfs"
    path.write_bytes(FORMS[form](tar()))
    node = TarSource(path).load(tmp_path / "work", Limits(), 0).tree.get(b"etc/motd")
    assert isinstance(node, File)
    assert b"".join(node.content.chunks()) == b"hello you!" * 20_000


@pytest.mark.parametrize("form", ["gzip", "xz", "zstd"])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-9],
        lambda data: data + b"garbage",
        lambda data: data + b"\0x",
        lambda data: data[:40] + bytes(8) + data[48:],
    ],
)
def test_a_damaged_stream_is_refused(tmp_path, form, change):
    path = tmp_path / "rootfs"
    path.write_bytes(change(FORMS[form](tar())))
    with pytest.raises(VerificationError, match="/rootfs "):
        TarSource(path).load(tmp_path / "work", Limits(), 0)
    assert list((tmp_path / "work").glob(".*.tmp")) == []


@pytest.mark.parametrize("form", ["gzip", "xz", "zstd"])
def test_a_bomb_stops_at_the_limit(tmp_path, form):
    path = tmp_path / "bomb"
    path.write_bytes(FORMS[form](bytes(20_000_000)))
    with pytest.raises(VerificationError, match="too large when uncompressed"):
        uncompressed(path, tmp_path / "work", 1_000_000)


def test_the_digest_follows_content_and_configuration(tmp_path):
    path = tmp_path / "rootfs.tar"
    path.write_bytes(tar())
    first = TarSource(path).digest()
    assert TarSource(path, hash_file(path)).digest() == first
    assert TarSource(path, config={"Cmd": ["x"]}).digest() != first
    with pytest.raises(VerificationError, match="wrong digest"):
        TarSource(path, "sha256:" + "0" * 64).digest()
    with pytest.raises(ConfigError, match="cannot be read"):
        TarSource(tmp_path / "missing").digest()


def test_a_folder_is_normalised_and_its_links_are_kept(tmp_path):
    source = tmp_path / "www"
    (source / "sub").mkdir(parents=True, mode=0o700)
    (source / "page").write_text("x")
    (source / "page").chmod(0o600)
    (source / "tool").write_text("x")
    (source / "tool").chmod(0o711)
    (source / "out").symlink_to("/etc/passwd")
    tree = DirectorySource(source, Owner(33, 34)).load(tmp_path, Limits(), 77).tree
    assert [(path, node.mode, node.uid, node.gid, node.mtime) for path, node in tree.walk()] == [
        (b"out", 0o777, 33, 34, 77),
        (b"page", 0o644, 33, 34, 77),
        (b"sub", 0o755, 33, 34, 77),
        (b"tool", 0o755, 33, 34, 77),
    ]
    assert isinstance(tree.get(b"out", follow=False), Symlink)


def test_a_folders_digest_sees_every_change_that_matters_and_no_other(tmp_path):
    source = tmp_path / "www"
    source.mkdir()
    (source / "page").write_text("x")
    seen = [DirectorySource(source).digest()]
    (source / "page").chmod(0o600)
    os.utime(source / "page", (5, 5))
    assert DirectorySource(source).digest() == seen[0]
    for change in (
        lambda: (source / "page").write_text("y"),
        lambda: (source / "page").chmod(0o755),
        lambda: (source / "empty").mkdir(),
        lambda: (source / "l").symlink_to("page"),
        lambda: (source / "page").rename(source / "page2"),
    ):
        change()
        seen.append(DirectorySource(source).digest())
    seen.append(DirectorySource(source, Owner(1)).digest())
    assert len(set(seen)) == len(seen)


def test_a_folder_with_a_pipe_or_without_existence_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="pipe"):
        DirectorySource(tmp_path).load(tmp_path, Limits(), 0)
    with pytest.raises(ConfigError, match="cannot be read"):
        DirectorySource(tmp_path / "missing").digest()
