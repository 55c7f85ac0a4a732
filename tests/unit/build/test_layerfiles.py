# SPDX-License-Identifier: MIT
"""A layer's tree as the documents' readers see it."""

from pathlib import Path

import pytest

from orchestrator.build.layerfiles import LayerFiles
from orchestrator.errors import BuildError
from orchestrator.layers.nodes import BytesContent, File, FileContent, Symlink
from orchestrator.layers.tree import Tree


def put(tree: Tree, path: bytes, data: bytes = b"x") -> None:
    tree.add(path, File(mode=0o755, content=BytesContent(data)))


def test_a_file_is_found_through_links_above_it_and_under_each_of_its_names():
    tree = Tree()
    put(tree, b"usr/lib/a", b"data")
    tree.add(b"lib", Symlink(mode=0o777, target=b"usr/lib"))
    tree.link(b"usr/lib/b", b"usr/lib/a")
    tree.add(b"usr/lib/c", Symlink(mode=0o777, target=b"a"))
    files = LayerFiles(tree)
    assert [(entry.path, entry.size, entry.executable) for entry in files.files()] == [("usr/lib/a", 4, True)]
    assert files.canonical("lib/b") == "usr/lib/a"
    assert files.canonical("lib/c") is None  # itself a link
    source = files.open("lib/c")
    assert source is not None
    assert source.at(1, 2) == b"at"
    assert files.names("lib") == ["a", "b", "c"]


def test_loops_missing_files_and_folders_are_no_files():
    tree = Tree()
    tree.add(b"loop", Symlink(mode=0o777, target=b"loop"))
    put(tree, b"folder/x")
    files = LayerFiles(tree)
    for path in ("loop", "folder", "nothing", "folder/x/y"):
        assert files.open(path) is None
        assert files.canonical(path) is None
        assert path == "folder" or files.names(path) == []


def test_names_that_are_no_utf_8_are_kept():
    tree = Tree()
    put(tree, b"caf\xe9")
    (entry,) = LayerFiles(tree).files()
    assert entry.path == "caf\udce9"


def test_content_in_a_file_is_read_at_any_place_and_missed_when_it_is_gone(tmp_path: Path):
    path = tmp_path / "layer.tar"
    path.write_bytes(b"....content....")
    tree = Tree()
    tree.add(b"a", File(mode=0o644, content=FileContent(path, 7, 4)))
    with LayerFiles(tree) as files:
        source = files.open("a")
        assert source is not None
        assert (source.size, source.at(0, 100), source.at(3, 2), source.at(7, 1)) == (7, b"content", b"te", b"")
        path.write_bytes(b"..")
        with pytest.raises(BuildError, match="shorter"):
            source.at(0, 7)
