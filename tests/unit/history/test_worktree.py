# SPDX-License-Identifier: MIT
"""The product's files: what changed since a build, and writing a recorded state back without losing anything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.build.source import product_source
from orchestrator.build.workspace import workspace
from orchestrator.canonical import sha256_digest
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.history.source import (
    FILE_LIMIT,
    SourceFile,
    SourceList,
    attach_source,
    check_paths,
    plain_path,
    read_source,
)
from orchestrator.history.worktree import WorkChange, changed_files, check_out
from orchestrator.product.load import load_product
from tests.unit.history.sample import Works


def now(works: Works) -> SourceList:
    file = works.folder / "pycontainer.yaml"
    product = load_product(file)
    return product_source(product, workspace(file, product))[0]


def listed(works: Works, name: str) -> SourceList:
    found = read_source(works.store, works.names.find(name))
    assert found is not None
    return found


def test_what_the_product_file_names_is_the_source_and_nothing_else(works: Works) -> None:
    works.write()
    for path in (".env", "notes.txt", "keys/signing.key.pem", "build/x", ".pycontainer/y", "www/.git/config"):
        (works.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (works.folder / path).write_text("secret")
    (works.folder / "pycontainer.policy.yaml").write_text("rules: []\n")
    (works.folder / "www" / "link").symlink_to("index.html")
    (works.folder / "www" / "out").symlink_to("/etc/shadow")
    (works.folder / "www" / "up").symlink_to("../../x")
    (works.folder / "web" / "program").chmod(0o755)
    found = now(works)
    assert [file.path for file in found.files] == [
        "pycontainer.policy.yaml", "pycontainer.yaml", "web/program", "www/index.html", "www/link",
    ]  # fmt: skip
    assert found.by_path()["web/program"].executable
    assert found.by_path()["www/link"].target == "index.html"
    assert found.folders == ["web", "www"]
    assert found.left_out == 2
    assert now(works) == found


def test_a_large_file_is_listed_and_not_kept(works: Works) -> None:
    works.write()
    (works.folder / "www" / "big").write_bytes(b"x" * (FILE_LIMIT + 1))
    file = workspace(works.folder, load_product(works.folder / "pycontainer.yaml"))
    found, contents = product_source(load_product(works.folder / "pycontainer.yaml"), file)
    assert not found.by_path()["www/big"].kept
    assert "www/big" not in contents


def test_pins_that_the_build_made_are_kept_as_a_lock_file(works: Works) -> None:
    works.write()
    lock = works.folder / "build" / "bitbake-qemu-amd64" / "debian.lock.json"
    lock.parent.mkdir(parents=True)
    lock.write_text('{"packages": {}}\n')
    (works.folder / "build" / "images.lock.json").write_text(
        '{"images": {"a:1": {"digest": "sha256:%s"}}}' % ("1" * 64)
    )
    found = now(works).by_path()["pycontainer.lock"]
    assert found.resolved
    (works.folder / "pycontainer.lock").write_text("{}")
    own = now(works).by_path()["pycontainer.lock"]
    assert not own.resolved and own.digest == sha256_digest(b"{}")


def test_changes_since_the_build(works: Works) -> None:
    works.build()
    assert changed_files(listed(works, "candidate"), now(works)) == []
    (works.folder / "www" / "index.html").write_text("other")
    (works.folder / "www" / "new.html").write_text("new")
    (works.folder / "web" / "program").unlink()
    (works.folder / "web" / "other").write_text("x")
    assert changed_files(listed(works, "candidate"), now(works)) == [
        WorkChange("web/other", "new"),
        WorkChange("web/program", "deleted"),
        WorkChange("www/index.html", "modified"),
        WorkChange("www/new.html", "new"),
    ]


def test_an_executable_bit_is_a_change_and_pins_of_builds_are_none(works: Works) -> None:
    works.build()
    (works.folder / "web" / "program").chmod(0o755)
    pins = SourceFile("pycontainer.lock", sha256_digest(b"1"), 1, resolved=True)
    before = listed(works, "candidate")
    assert changed_files(before, now(works)) == [WorkChange("web/program", "modified")]
    with_pins = SourceList(schema_version=1, files=[pins, *before.files])
    assert changed_files(with_pins, before) == []
    assert changed_files(before, with_pins) == []


def test_an_earlier_state_comes_back_and_the_later_one_again(works: Works) -> None:
    works.history("one", "two")
    states = [listed(works, "main~1"), listed(works, "main")]
    done = check_out(works.store, states[0], works.folder, states)
    assert sorted(done.written) == ["pycontainer.yaml", "www/index.html"]
    assert done.unchanged == 1
    assert (works.folder / "www" / "index.html").read_text() == "web one"
    assert changed_files(states[0], now(works)) == []
    check_out(works.store, states[1], works.folder, states)
    assert changed_files(states[1], now(works)) == []
    assert not list(works.folder.glob("*.tmp")) and not list((works.folder / "www").glob("*.tmp"))


def test_changes_that_nobody_recorded_are_not_lost(works: Works) -> None:
    works.history("one", "two")
    states = [listed(works, "main~1"), listed(works, "main")]
    (works.folder / "www" / "index.html").write_text("hours of work")
    before = (works.folder / "pycontainer.yaml").read_text()
    with pytest.raises(ConfigError, match="would be lost") as caught:
        check_out(works.store, states[0], works.folder, states)
    assert caught.value.why == "www/index.html"
    assert (works.folder / "pycontainer.yaml").read_text() == before
    check_out(works.store, states[0], works.folder, states, force=True)
    assert (works.folder / "www" / "index.html").read_text() == "web one"


def test_files_that_the_state_did_not_have_go_when_they_are_recorded_and_stay_when_not(works: Works) -> None:
    first = works.history("one")[0]
    (works.folder / "www" / "sub").mkdir()
    (works.folder / "www" / "sub" / "page").write_text("recorded")
    later = now(works)
    contents = {file.path: (works.folder / file.path).read_bytes() for file in later.files if file.digest and file.kept}
    attach_source(works.store, works.names.load("candidate"), later, contents)
    (works.folder / "www" / "mine").write_text("not recorded")
    done = check_out(works.store, listed(works, first.id), works.folder, [later])
    assert done.removed == ["www/sub/page"]
    assert done.foreign == ["www/mine"]
    assert not (works.folder / "www" / "sub").exists()
    assert (works.folder / "www" / "mine").exists()


def test_a_link_on_the_way_is_never_followed(works: Works, tmp_path: Path) -> None:
    works.history("one")
    outside = tmp_path / "outside"
    outside.mkdir()
    (works.folder / "www" / "index.html").unlink()
    (works.folder / "www").rmdir()
    (works.folder / "www").symlink_to(outside)
    for force in (False, True):
        with pytest.raises(ConfigError, match="symbolic link"):
            check_out(works.store, listed(works, "main"), works.folder, force=force)
    assert list(outside.iterdir()) == []


def test_a_link_in_a_files_place_is_replaced_and_not_written_through(works: Works, tmp_path: Path) -> None:
    works.history("one")
    outside = tmp_path / "precious"
    outside.write_text("precious")
    (works.folder / "www" / "index.html").unlink()
    (works.folder / "www" / "index.html").symlink_to(outside)
    check_out(works.store, listed(works, "main"), works.folder, force=True)
    assert outside.read_text() == "precious"
    assert (works.folder / "www" / "index.html").read_text() == "web one"


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../b", "a//b", ".", "a/./b", ".pycontainer/store/x", "build/x", ".git/hooks/x",
             "a\nb", "a\\b", "a/\x00"],
)  # fmt: skip
def test_a_path_that_leaves_the_folder_is_refused(works: Works, path: str) -> None:
    assert not plain_path(path)
    bad = SourceList(schema_version=1, files=[SourceFile(path, sha256_digest(b""), 0)])
    with pytest.raises(VerificationError):
        check_paths(bad)


@pytest.mark.parametrize(
    "files",
    [
        [SourceFile("a", target="/etc")], [SourceFile("a/b", target="../../x")], [SourceFile("a", target="..")],
        [SourceFile("a", "sha256:" + "1" * 64), SourceFile("a", "sha256:" + "2" * 64)],
        [SourceFile("a", target="b"), SourceFile("a/b", "sha256:" + "1" * 64)],
        [SourceFile("a")], [SourceFile("a", "sha256:" + "1" * 64, target="b")],
    ],
)  # fmt: skip
def test_a_source_out_of_form_is_refused(works: Works, files: list[SourceFile]) -> None:
    works.history("one")
    with pytest.raises(VerificationError):
        check_paths(SourceList(schema_version=1, files=files))


def test_a_damaged_source_is_refused_when_it_is_read(works: Works) -> None:
    made = works.history("one")[0]
    bad = SourceList(schema_version=1, files=[SourceFile("../evil", sha256_digest(b"x"), 1)])
    from orchestrator.history.source import LIST_TYPE, SOURCE_TYPE
    from orchestrator.oci import canonical_bytes

    before = [entry.digest for entry in works.store.referrers(made.id, SOURCE_TYPE)]
    blob = works.store.put_blob(canonical_bytes(bad), media_type=LIST_TYPE)
    works.store.attach(made.descriptor, SOURCE_TYPE, [blob], instead_of=before)
    with pytest.raises(VerificationError, match="out of form"):
        read_source(works.store, made.id)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Works:
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCONTAINER_KEYS", str(folder / "keys"))
        works = Works(folder / "product")
        works.build()
    return works


_FILES = st.dictionaries(
    st.sampled_from(["a", "b", "c/d", "c/e/f", "g-h", "\u00e4/\u4e2d"]), st.binary(max_size=20), max_size=6
)


@settings(max_examples=30, deadline=None)
@given(_FILES)
def test_what_is_attached_is_read_back_and_written_as_it_was(shared: Works, contents: dict[str, bytes]) -> None:
    files = [SourceFile(path, sha256_digest(data), len(data)) for path, data in sorted(contents.items())]
    value = SourceList(schema_version=1, files=files)
    attach_source(shared.store, shared.names.load("candidate"), value, contents)
    assert listed(shared, "candidate") == value
    with tempfile.TemporaryDirectory() as name:
        check_out(shared.store, value, Path(name))
        found = {path: (Path(name) / path).read_bytes() for path in contents}
        assert found == contents
        assert sum(path.is_file() for path in Path(name).rglob("*")) == len(contents)
