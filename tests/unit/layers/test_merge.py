# SPDX-License-Identifier: MIT
"""OCI layers over each other: whiteouts touch what is below their layer only, links lead nowhere out of the root."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.errors import VerificationError
from orchestrator.layers.merge import Changes, apply
from orchestrator.layers.nodes import Directory, File, Node, Symlink
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Limits, Tree

from .images import entry, folder, hard, link, tar

Members = tuple[tuple[tarfile.TarInfo, bytes], ...]


@pytest.fixture
def merge(tmp_path: Path):
    """Lay OCI layers, each given by its entries, over each other; the tree, and what whiteouts removed."""

    def run(*layers: Members, limits: Limits | None = None) -> tuple[Tree, list[bytes]]:
        limits = limits or Limits()
        tree = Tree(limits)
        gone: list[bytes] = []
        for number, members in enumerate(layers):
            path = tmp_path / f"{number}.tar"
            path.write_bytes(tar(*members))
            changes = Changes(limits)
            read_tar(path, changes)
            gone += apply(tree, changes)
        return tree, gone

    return run


def names(tree: Tree) -> list[bytes]:
    return [path for path, _ in tree.walk()]


def text(node: Node | None) -> bytes:
    assert isinstance(node, File)
    return b"".join(node.content.chunks())


@pytest.mark.parametrize("order", [1, -1])
def test_a_whiteout_removes_the_lower_entry_and_not_that_of_its_own_layer(merge, order: int):
    upper = (entry("d/.wh.x"), entry("d/.wh.y"), entry("d/x", data=b"new"))
    tree, gone = merge((folder("d", mode=0o700), entry("d/x"), entry("d/y"), entry("d/z")), upper[::order])
    assert names(tree) == [b"d", b"d/x", b"d/z"]
    assert text(tree.get(b"d/x")) == b"new"
    assert sorted(gone) == [b"d/x", b"d/y"]
    assert tree.get(b"d").mode == 0o700


@pytest.mark.parametrize("order", [1, -1])
def test_an_opaque_marker_empties_what_is_lower_and_keeps_what_is_of_its_layer(merge, order: int):
    upper = (entry("d/new"), entry("d/.wh..wh..opq"))
    tree, gone = merge((folder("d", uid=7), entry("d/a/b/c"), entry("e")), upper[::order])
    assert names(tree) == [b"d", b"d/new", b"e"]
    assert sorted(gone) == [b"d/a", b"d/a/b", b"d/a/b/c"]
    assert tree.get(b"d").uid == 7


def test_an_opaque_marker_at_the_root_begins_anew(merge):
    tree, gone = merge((entry("a"), entry("b/c")), (entry(".wh..wh..opq"), entry("b/d")))
    assert names(tree) == [b"b", b"b/d"]
    assert sorted(gone) == [b"a", b"b", b"b/c"]


def test_a_whiteout_of_what_is_not_there_makes_nothing_not_even_its_parent(merge):
    tree, gone = merge((entry("a"),), (entry("no/such/.wh.thing"), entry("other/.wh..wh..opq"), entry("a/.wh.b")))
    assert names(tree) == [b"a"]
    assert gone == []


def test_a_directory_is_removed_with_all_below_it_and_may_come_again(merge):
    tree, gone = merge(
        (folder("d", mode=0o700), entry("d/old/x")), (folder("d", mode=0o711), entry("d/new"), entry(".wh.d"))
    )
    assert names(tree) == [b"d", b"d/new"]
    assert tree.get(b"d").mode == 0o711
    assert sorted(gone) == [b"d", b"d/old", b"d/old/x"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..", "d/.wh."])
def test_a_whiteout_of_nothing_or_of_a_folder_itself_is_refused(merge, name: str):
    with pytest.raises(VerificationError, match="names nothing that could be removed"):
        merge((entry("d/x"),), (entry(name),))


def test_an_entry_below_a_whiteout_is_refused(merge):
    with pytest.raises(VerificationError, match="lies below a whiteout"):
        merge((entry(".wh.d/x"),))


def test_no_whiteout_name_survives_nor_does_the_metadata_of_aufs(merge):
    tree, _ = merge(
        (
            entry(".wh..wh.aufs"),
            folder(".wh..wh.orph"),
            entry(".wh..wh.orph/1"),
            folder(".wh..wh.plnk"),
            entry(".wh..wh.plnk/12.34", data=b"linked"),
            hard("one", ".wh..wh.plnk/12.34"),
            hard("two", ".wh..wh.plnk/12.34"),
            entry("gone"),
        ),
        (hard(".wh.gone", ".wh..wh.aufs"),),
    )
    assert names(tree) == [b"one", b"two"]
    assert tree.get(b"one") is tree.get(b"two")
    assert text(tree.get(b"one")) == b"linked"


def test_a_directory_in_the_place_of_aufs_links_does_not_become_its_own_child(merge):
    with pytest.raises(VerificationError, match="there is no such entry"):
        merge((folder(".wh..wh.plnk/1"), hard("a", ".wh..wh.plnk/1"), hard("a/b", ".wh..wh.plnk/1")))


def test_a_file_below_a_linked_directory_of_a_lower_layer_lands_behind_the_link(merge):
    lower = (folder("usr/lib"), link("lib", "usr/lib"), entry("usr/lib/old"))
    tree, gone = merge(lower, (entry("lib/x", data=b"1"), entry("lib/.wh.old")))
    assert names(tree) == [b"lib", b"usr", b"usr/lib", b"usr/lib/x"]
    assert gone == [b"lib/old"]


def test_an_explicit_directory_takes_a_links_place_and_leaves_alone_what_was_behind_it(merge):
    lower = (entry("real/kept"), link("d", "real"))
    upper = (folder("d"), entry("d/.wh..wh..opq"), entry("d/.wh.kept"), entry("d/x"))
    tree, gone = merge(lower, upper)
    assert names(tree) == [b"d", b"d/x", b"real", b"real/kept"]
    assert gone == []


@pytest.mark.parametrize("target", ["/etc", "../../etc", "/../../etc"])
def test_links_lead_to_no_place_outside_of_the_root(merge, target: str):
    tree, _ = merge((link("out", target),), (entry("out/passwd", data=b"mine"),), (entry("out/.wh.passwd"),))
    assert names(tree) == [b"etc", b"out"]


def test_the_last_component_is_not_followed(merge):
    tree, _ = merge((entry("real", data=b"kept"), link("name", "real")), (entry("name", data=b"new"),))
    assert (text(tree.get(b"real")), text(tree.get(b"name"))) == (b"kept", b"new")
    tree, _ = merge((entry("real/x"), link("name", "real")), (entry(".wh.name"),))
    assert names(tree) == [b"real", b"real/x"]


def test_a_hard_link_may_lead_to_a_lower_layer_and_outlives_its_target(merge):
    tree, _ = merge(
        (entry("one", data=b"old", uid=5),),
        (hard("two", "one"),),
        (entry("one", data=b"new"),),
        (hard("three", "two"),),
    )
    assert tree.get(b"two") is tree.get(b"three")
    assert (text(tree.get(b"one")), text(tree.get(b"two")), tree.get(b"two").uid) == (b"new", b"old", 5)


def test_a_hard_link_takes_the_place_of_a_lower_directory(merge):
    tree, _ = merge((entry("d/x", data=b"1"),), (hard("d", "d/x"),))
    assert names(tree) == [b"d"]
    assert text(tree.get(b"d")) == b"1"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((hard("a", "missing"),), "there is no such entry"),
        ((folder("d"), hard("a", "d")), "it is a directory"),
        ((hard("a", "../b"),), r"has '\.\.' in it"),
        ((hard("a", "/b"),), "is absolute"),
        ((entry("../a"),), r"has '\.\.' in it"),
        ((entry("/a"),), "is absolute"),
        ((entry("f"), entry("f/x")), "below something that is no directory"),
        ((link("loop", "loop"), entry("loop/x")), "too many symbolic links"),
        ((entry("x" * 256),), "is too long"),
    ],
)
def test_what_does_not_fit_or_leads_out_is_refused(merge, members: Members, words: str):
    with pytest.raises(VerificationError, match=words):
        merge(members)


def test_a_hard_link_to_what_its_own_layer_removed_is_refused(merge):
    with pytest.raises(VerificationError, match="there is no such entry"):
        merge((entry("old"),), (entry(".wh.old"), hard("new", "old")))


def test_of_two_entries_in_one_layer_the_last_wins_and_a_repeated_directory_keeps_its_content(merge):
    tree, _ = merge(
        (folder("d", mode=0o700), entry("d/x", data=b"1"), entry("d/x", data=b"2"), folder("d", mode=0o755))
    )
    assert names(tree) == [b"d", b"d/x"]
    assert text(tree.get(b"d/x")) == b"2"
    assert tree.get(b"d").mode == 0o755


def test_parents_that_no_layer_names_are_plain_ones_of_root(merge):
    tree, _ = merge((entry("a/b/c", uid=9, mode=0o600),))
    parent = tree.get(b"a/b")
    assert (parent.mode, parent.uid, parent.gid) == (0o755, 0, 0)


def test_a_very_deep_tree_is_removed_without_running_out_of_stack(merge):
    deep = "/".join(["d"] * 1900)
    tree, gone = merge((entry(deep),), (entry(".wh.d"),))
    assert names(tree) == []
    assert len(gone) == 1900


def test_marks_count_against_the_limit_of_entries(merge):
    with pytest.raises(VerificationError, match="too many entries"):
        merge(tuple(entry(f".wh.{number}") for number in range(6)), limits=Limits(entries=5))


def test_entries_of_all_layers_count_against_one_limit(merge):
    layers = [tuple(entry(f"{layer}-{number}") for number in range(3)) for layer in range(3)]
    with pytest.raises(VerificationError, match="too many files"):
        merge(*layers, limits=Limits(entries=8))


# The naive model: paths to what is there, each change written out, no trees and no links of directories.
NAMES = ["a", "b", "c"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
CHANGES = st.one_of(
    st.tuples(st.just("file"), PATHS, st.integers(0, 9)),
    st.tuples(st.just("folder"), PATHS, st.integers(0, 7)),
    st.tuples(st.just("hard"), PATHS, PATHS),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("empty"), PATHS, st.none()),
)
Model = dict[str, tuple[str, int]]


def below(model: Model, path: str) -> list[str]:
    return [each for each in model if each.startswith(path + "/")]


def naive(stack: list[list[tuple]]) -> Model | None:
    """Return what a stack of changes comes to, or None when it must be refused."""
    model: Model = {}
    for layer in stack:
        for kind, path, _ in layer:
            if kind in ("remove", "empty"):
                for each in below(model, path):
                    del model[each]
                if kind == "remove":
                    model.pop(path, None)
        for kind, path, value in layer:
            if kind in ("remove", "empty"):
                continue
            if kind == "hard" and (value not in model or model[value][0] == "folder"):
                return None
            found = model[value] if kind == "hard" else (kind, value)
            parts = path.split("/")
            for count in range(1, len(parts)):
                if model.setdefault("/".join(parts[:count]), ("folder", 0o755))[0] != "folder":
                    return None
            if found[0] != "folder":
                for each in below(model, path):
                    del model[each]
            model[path] = found
    return model


def member(kind: str, path: str, value: object) -> tuple[tarfile.TarInfo, bytes]:
    parent, _, name = path.rpartition("/")
    prefix = parent + "/" if parent else ""
    if kind == "file":
        return entry(path, data=str(value).encode())
    if kind == "folder":
        return folder(path, mode=value)
    if kind == "hard":
        return hard(path, str(value))
    return entry(f"{prefix}.wh.{name}" if kind == "remove" else f"{path}/.wh..wh..opq")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(st.lists(CHANGES, max_size=6), min_size=1, max_size=4))
@example([[("file", "a/b", 1)], [("hard", "a", "a/b")], [("remove", "a", None), ("folder", "a", 5)]])
def test_any_stack_of_layers_comes_to_what_a_naive_model_says(merge, stack):
    wanted = naive(stack)
    layers = [tuple(member(*change) for change in layer) for layer in stack]
    if wanted is None:
        with pytest.raises(VerificationError):
            merge(*layers)
        return
    tree, _ = merge(*layers)
    found = {
        path.decode(): ("folder", node.mode) if isinstance(node, Directory) else ("file", int(text(node)))
        for path, node in tree.walk()
    }
    assert found == wanted
    assert not any(isinstance(node, Symlink) for _, node in tree.walk())
