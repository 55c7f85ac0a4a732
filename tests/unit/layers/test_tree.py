# SPDX-License-Identifier: MIT
"""A tree resolves paths as a chroot does: nothing gets out, links of parents are followed, the last one is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.nodes import BytesContent, Device, Directory, File, Node, Symlink
from orchestrator.layers.tree import Limits, Tree, show


def file(data: bytes = b"", **more) -> File:
    return File(mode=0o644, content=BytesContent(data), **more)


def link(target: bytes) -> Symlink:
    return Symlink(mode=0o777, target=target)


def directory(mode: int = 0o755) -> Directory:
    return Directory(mode=mode)


def test_a_file_below_a_linked_directory_lands_behind_the_link():
    tree = Tree()
    tree.add(b"usr/lib", directory())
    tree.add(b"lib", link(b"usr/lib"))
    tree.add(b"lib/x", file(b"1"))
    assert tree.get(b"usr/lib/x", follow=False) is tree.get(b"/lib/x")
    assert isinstance(tree.get(b"lib", follow=False), Symlink)


@pytest.mark.parametrize("target", [b"/", b"../../..", b"/../..", b"../../../.."])
def test_links_above_the_root_stay_at_the_root(target):
    tree = Tree()
    tree.add(b"a/b/out", link(target))
    tree.add(b"a/b/out/etc/passwd", file(b"mine"))
    assert tree.get(b"etc/passwd") is not None
    assert [path for path, _ in tree.walk()] == [b"a", b"a/b", b"a/b/out", b"etc", b"etc/passwd"]


def test_an_explicit_directory_replaces_a_link_and_keeps_a_directory():
    tree = Tree()
    tree.add(b"real/inside", file())
    tree.add(b"name", link(b"real"))
    tree.add(b"name", directory())
    assert tree.get(b"name/inside") is None
    tree.add(b"real", directory(0o700))
    assert tree.get(b"real/inside") is not None
    assert tree.get(b"real").mode == 0o700


def test_the_last_entry_for_a_path_wins_and_other_names_of_the_old_one_stay():
    tree = Tree()
    tree.add(b"one", file(b"old"))
    tree.link(b"two", b"one")
    tree.add(b"one", file(b"new"))
    assert [b"".join(node.content.chunks()) for _, node in tree.walk()] == [b"new", b"old"]


def test_a_loop_of_links_is_refused():
    tree = Tree()
    tree.add(b"a", link(b"b"))
    tree.add(b"b", link(b"a"))
    with pytest.raises(VerificationError, match="too many symbolic links"):
        tree.get(b"a/x")
    with pytest.raises(VerificationError, match="too many symbolic links"):
        tree.add(b"a/x", file())


def test_a_name_below_a_file_is_refused():
    tree = Tree()
    tree.add(b"file", file())
    with pytest.raises(VerificationError, match="no directory"):
        tree.add(b"file/x", file())


@pytest.mark.parametrize("target", [b"missing", b"dir", b"dir/missing", b"../missing"])
def test_a_hard_link_to_nothing_or_a_directory_is_refused(target):
    tree = Tree()
    tree.add(b"dir", directory())
    with pytest.raises(VerificationError, match="hard link"):
        tree.link(b"new", target)


def test_a_hard_link_to_a_symbolic_link_names_the_link_itself():
    tree = Tree()
    tree.add(b"target", file())
    tree.add(b"soft", link(b"target"))
    tree.link(b"hard", b"soft")
    assert isinstance(tree.get(b"hard", follow=False), Symlink)


def test_remove_takes_the_link_and_not_what_it_leads_to():
    tree = Tree()
    tree.add(b"dir/x", file())
    tree.add(b"soft", link(b"dir"))
    assert tree.remove(b"soft") is True
    assert tree.remove(b"soft") is False
    assert tree.get(b"dir/x") is not None
    for path in (b"", b".", b"dir/.."):
        with pytest.raises(VerificationError):
            tree.remove(path)


def test_walking_is_in_byte_order_with_parents_first():
    tree = Tree()
    for path in (b"b/z", b"a", b"b/\xff", b"b.d/x", b"b/A"):
        tree.add(path, file())
    assert [path for path, _ in tree.walk()] == [b"a", b"b", b"b/A", b"b/z", b"b/\xff", b"b.d", b"b.d/x"]


def test_implicit_parents_are_root_owned_and_traversable():
    tree = Tree()
    tree.add(b"p/q/r", file(uid=7))
    parent = tree.get(b"p/q")
    assert (parent.mode, parent.uid, parent.gid) == (0o755, 0, 0)


def test_a_mount_point_is_made_behind_links_and_refused_over_a_file():
    tree = Tree()
    tree.add(b"var/run", link(b"/run"))
    tree.ensure_directory(b"/var/run/app", mtime=5)
    assert isinstance(tree.get(b"run/app"), Directory)
    tree.add(b"etc/motd", file())
    with pytest.raises(ConfigError, match="must be a directory"):
        tree.ensure_directory(b"/etc/motd")
    with pytest.raises(ConfigError, match="must be a directory"):
        tree.ensure_directory(b"/etc/motd/x")


def test_limits_stop_a_bomb():
    tree = Tree(Limits(entries=3, size=10))
    tree.add(b"a/b", file(b"12345"))
    with pytest.raises(VerificationError, match="too large"):
        tree.add(b"c", file(b"123456"))
    tree = Tree(Limits(entries=3))
    tree.add(b"a/b/c", file())
    with pytest.raises(VerificationError, match="too many files"):
        tree.link(b"d", b"a/b/c")


@pytest.mark.parametrize("path", [b"x" * 256, b"/".join([b"y" * 200] * 30), b"a\0b", b".."])
def test_impossible_names_are_refused(path):
    with pytest.raises(VerificationError):
        Tree().add(path, file())


def test_merging_keeps_a_linked_destination_and_hard_links():
    tree = Tree()
    tree.add(b"srv/data", directory(0o750))
    tree.add(b"www", link(b"srv/data"))
    other = Tree()
    other.add(b"one", file(b"x"))
    other.link(b"two", b"one")
    other.add(b"sub", directory())
    tree.merge(other, b"/www")
    assert tree.get(b"srv/data/one") is tree.get(b"srv/data/two")
    assert tree.get(b"srv/data").mode == 0o750
    assert isinstance(tree.get(b"www", follow=False), Symlink)


def test_paths_in_messages_are_printable_and_short():
    assert show(b"a\nb\xff\x1b[31m") == "a\\nb\\xff\\x1b[31m"
    assert len(show(b"x" * 5000)) == 200


NAMES = st.sampled_from([b"a", b"b", b"c", b"..", b".", b"", b"\xff", b"lib"])
PATHS = st.lists(NAMES, min_size=1, max_size=6).map(b"/".join)
ENTRIES: st.SearchStrategy[Node] = st.one_of(
    st.builds(lambda data: file(data), st.binary(max_size=3)),
    st.builds(lambda: directory()),
    st.builds(lambda target: link(target), st.one_of(PATHS, PATHS.map(lambda path: b"/" + path)).filter(len)),
    st.builds(lambda: Device(mode=0o600, block=False, major=1, minor=3)),
)
KINDS = st.sampled_from(["add", "link", "remove", "ensure"])
OPERATIONS = st.lists(st.tuples(KINDS, PATHS, PATHS, ENTRIES), max_size=25)


@given(OPERATIONS)
@settings(max_examples=60)
def test_no_sequence_of_operations_breaks_a_tree(operations):
    tree = Tree(Limits(entries=200))
    for kind, path, other, node in operations:
        try:
            if kind == "add":
                tree.add(path, node)
            elif kind == "link":
                tree.link(path, other)
            elif kind == "remove":
                tree.remove(path)
            else:
                tree.ensure_directory(path)
        except (VerificationError, ConfigError):
            continue
    seen = set()
    for path, node in tree.walk():
        assert path not in seen
        assert not {b"", b".", b".."} & set(path.split(b"/"))
        assert tree.root is not node
        if isinstance(node, Directory):
            assert id(node) not in seen, "a directory has one name only"
            seen.add(id(node))
        seen.add(path)
