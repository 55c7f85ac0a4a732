# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from debian_make import deb, member, package
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_debian import deploy, elf, initramfs, modules, rootfs, tools
from pycontainer_debian.deb import Deb, digests
from pycontainer_debian.errors import DebianError
from pycontainer_debian.layer import Layer, Packages, carried_from, publish, supersede, swap_in
from pycontainer_debian.lock import Locked, PinnedFile
from pycontainer_debian.spdx import Component, purl, source_of, supplier
from pycontainer_debian.tree import Content, Entry, Tree
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from orchestrator.deploy import Deploy


def packages(folder: Path) -> Packages:
    members = [member("./usr/bin/tool", b"code"), member("./usr/share/doc/tool/copyright", b"terms")]
    path = deb(folder / "tool.deb", "tool", members, Source="src (2.0)", Homepage="https://example.org/")
    return Packages(
        [PinnedFile(Locked.of(package("tool", "1.0-1")), path, digests(path))], folder / "spool", 1_700_000_000
    )


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"Source": "linux-signed-amd64 (6.12.1+1)", "Built-Using": "linux (= 6.12.1-1)"}, ("linux", "6.12.1-1")),
        ({"Source": "linux-signed-amd64 (6.12.1+1)"}, ("linux-signed-amd64", "6.12.1+1")),
        ({"Source": "busybox", "Built-Using": "glibc (= 2.41-12)"}, ("busybox", "1.0-1")),
        ({}, ("tool", "1.0-1")),
    ],
)
def test_the_source_of_a_signed_kernel_is_the_kernel_and_not_its_signatures(
    fields: dict[str, str], source: tuple[str, str], tmp_path: Path
) -> None:
    assert source_of(Deb(deb(tmp_path / "a.deb", "tool", [], **fields))) == source


def published(folder: Path, name: str = "web") -> Path:
    target = folder / "deploy" / name
    target.mkdir(parents=True)
    (target / "rootfs.tar").write_bytes(b"tar")
    found = packages(folder)
    layer = Layer(name, "app", f"app-{name}", "1.0", "amd64", "debian-13", found.epoch, config={"Cmd": ["/x"]})
    copyrights = {**found.copyrights, "own": b"MIT"}
    publish(
        layer, target, {"rootfs": "rootfs.tar"}, found.chosen({"tool"}), copyrights, [Component("own", "0.1", "MIT")]
    )
    return target


def manifest(folder: Path, recipes: list[str]) -> None:
    tree = folder / "native-tools"
    tree.mkdir(exist_ok=True)
    deploy.write_tools_facts(tree, ["b=2", "a=1"])
    deploy.write_manifest(
        folder,
        {
            "schemaVersion": 1,
            "base": "debian",
            "machine": "m",
            "architecture": "amd64",
            "distribution": {"id": "debian", "version": "13", "codename": "trixie"},
            "sourceDateEpoch": 5,
            "tools": deploy.tools_facts(folder, "native-tools"),
            "layers": deploy.fragments(folder, recipes),
        },
    )


def test_the_orchestrator_reads_what_the_base_deploys(tmp_path: Path) -> None:
    folder = published(tmp_path).parent
    manifest(folder, ["app-web"])
    read = Deploy(folder)
    layer = read.layer("app-web")
    assert layer is not None
    assert layer.config == {"Cmd": ["/x"]}
    assert layer.spdx is not None
    assert layer.copyright is not None
    for file in (*layer.files.values(), layer.spdx, layer.copyright):
        read.verified(file)


def test_only_the_named_recipes_are_listed_in_their_order(tmp_path: Path) -> None:
    for name in ("aa", "bb", "cc"):
        (tmp_path / name).mkdir()
        published(tmp_path / name, name)
        shutil.copytree(tmp_path / name / "deploy" / name, tmp_path / "deploy" / name)
    found = deploy.fragments(tmp_path / "deploy", ["app-cc", "app-aa"])
    assert [value["name"] for value in found] == ["cc", "aa"]


def test_a_named_recipe_that_deployed_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DebianError, match="app-none"):
        deploy.fragments(tmp_path, ["app-none"])


def test_the_spdx_document_is_valid_and_holds_the_facts_in_hand(tmp_path: Path) -> None:
    target = published(tmp_path)
    document = parse_file(str(target / "web.spdx.json"))
    assert validate_full_spdx_document(document) == []
    value = json.loads((target / "web.spdx.json").read_bytes())
    tool = next(p for p in value["packages"] if p["name"] == "tool")
    assert tool["sourceInfo"] == "built from source package: src 2.0"
    assert {c["algorithm"] for c in tool["checksums"]} == {"SHA256", "SHA512"}
    assert tool["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/tool@1.0-1?arch=amd64&distro=debian-13"
    own = next(p for p in value["packages"] if p["name"] == "own")
    assert own["licenseDeclared"] == "MIT"


def test_copyright_files_are_kept_by_package(tmp_path: Path) -> None:
    with tarfile.open(published(tmp_path) / "copyright.tar") as tar:
        assert [m.name for m in tar] == ["own", "own/copyright", "tool", "tool/copyright"]


def test_a_package_without_a_copyright_file_stops_the_layer(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()
    found = packages(tmp_path)
    layer = Layer("x", "app", "app-x", "1", "amd64", "debian-13", 5)
    with pytest.raises(DebianError, match="no copyright file is known of tool"):
        publish(layer, target, {}, found.chosen({"tool"}), {}, [])


def test_two_makings_of_a_layer_are_byte_identical(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        published(tmp_path / name)
    for file in ("web.spdx.json", "copyright.tar", "layer.json"):
        assert (tmp_path / "1/deploy/web" / file).read_bytes() == (tmp_path / "2/deploy/web" / file).read_bytes()


@pytest.mark.parametrize(
    ("maintainer", "expected"),
    [
        ("Jane Doe <jane@example.org>", "Person: Jane Doe (jane@example.org)"),
        ("Debian Perl Group <x@lists.example.org>", "Organization: Debian Perl Group (x@lists.example.org)"),
        ('"Dow, J." <j@example.org>', "Person: Dow, J. (j@example.org)"),
        ("nobody", "Person: nobody"),
    ],
)
def test_a_maintainer_is_a_person_or_an_organisation(maintainer: str, expected: str) -> None:
    assert supplier(maintainer) == expected


def test_a_package_url_quotes_what_must_be_quoted() -> None:
    assert purl("libstdc++6", "1:14.2.0-19", "amd64", "debian-13") == (
        "pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19?arch=amd64&distro=debian-13"
    )


def test_a_folder_is_swapped_in_whole(tmp_path: Path) -> None:
    for name in ("new", "live"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    swap_in(tmp_path / "new", tmp_path / "live")
    assert [p.name for p in (tmp_path / "live").iterdir()] == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["live", "new"]


def test_a_recipe_whose_layer_got_another_name_leaves_nothing_under_the_old_one(tmp_path: Path) -> None:
    folder = published(tmp_path).parent
    shutil.copytree(folder / "web", folder / "abc")
    fragment = json.loads((folder / "abc" / "layer.json").read_text())
    (folder / "abc" / "layer.json").write_text(json.dumps(fragment | {"name": "abc"}))
    other = shutil.copytree(folder / "web", folder / "other")
    (other / "layer.json").write_text(json.dumps(fragment | {"name": "other", "recipe": "app-other"}))
    supersede(folder, "app-web", "abc")
    assert sorted(path.name for path in folder.iterdir()) == ["abc", "other"]
    assert [layer["name"] for layer in deploy.fragments(folder, ["app-web"])] == ["abc"]


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"\x7fELF" + data, lambda _data: b""])
def test_a_module_that_is_not_whole_never_reaches_the_initramfs(damage) -> None:
    whole = lzma.compress(b"module" * 1000)
    assert modules.plain(Entry(0o100644, content=Content.of(whole))) == b"module" * 1000
    with pytest.raises(DebianError, match="cannot be decompressed"):
        modules.plain(Entry(0o100644, content=Content.of(damage(whole))))


def test_a_module_larger_than_any_is_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "_MODULE_LIMIT", 1000)
    with pytest.raises(DebianError, match="larger than 1000"):
        modules.plain(Entry(0o100644, content=Content.of(lzma.compress(b"module" * 1000))))


DEP = "kernel/a/one.ko.xz: kernel/b/two.ko.xz\nkernel/b/two.ko.xz:\nkernel/b/three-x.ko.xz:\nkernel/c/four.ko.xz:\n"


def test_modules_bring_what_they_need_and_what_they_softly_want() -> None:
    soft = modules.parse_softdep("# x\nsoftdep one pre: three_x post: nosuch\n")
    assert modules.select(modules.parse_dep(DEP), soft, ["one"], set()) == [
        "kernel/a/one.ko.xz",
        "kernel/b/three-x.ko.xz",
        "kernel/b/two.ko.xz",
    ]


def test_a_pattern_matches_names_or_paths_and_dashes_count_as_underscores() -> None:
    needs = modules.parse_dep(DEP)
    assert modules.select(needs, {}, ["three_x"], set()) == modules.select(needs, {}, ["three-x"], set())
    assert modules.select(needs, {}, ["kernel/b/*"], set()) == ["kernel/b/three-x.ko.xz", "kernel/b/two.ko.xz"]


def test_all_names_that_the_kernel_lacks_are_told_at_once_but_not_the_builtin_ones() -> None:
    with pytest.raises(DebianError, match="lost gone"):
        modules.select(modules.parse_dep(DEP), {}, ["lost", "ext4", "gone"], {"ext4"})


def test_comments_in_a_module_list_do_not_count() -> None:
    assert modules.wishes("# all\none two # three\n\nfour") == ["one", "two", "four"]
    assert initramfs.load_list("# x\nloop loop\n ext4 # why\n") == b"loop\next4\n"


@given(st.binary(max_size=300))
def test_any_bytes_are_an_elf_file_or_refused(data: bytes) -> None:
    for read in (elf.needs, elf.symbols):
        for head in (b"", b"\x7fELF\x02\x01"):
            with contextlib.suppress(ValueError):
                read(head + data)


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's own programs")
def test_the_libraries_of_a_real_program_are_found() -> None:
    found = elf.needs(Path("/bin/sh").resolve().read_bytes())
    assert found.interpreter.startswith("/")
    assert any(name.startswith("libc.") for name in found.libraries)


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    tree = Tree(merged_usr=True)
    tree.file("usr/bin/sh", Path("/bin/sh").resolve().read_bytes(), 0o755)
    with pytest.raises(DebianError, match=r"usr/bin/sh needs the library lib"):
        elf.closure(tree, ["usr/bin/sh"], ["usr/lib"])


def test_a_function_that_no_library_has_is_named() -> None:
    tree = Tree(merged_usr=True)
    tree.file("usr/bin/sh", Path("/bin/sh").resolve().read_bytes(), 0o755)
    with pytest.raises(DebianError, match="which no library of the layer has"):
        elf.check_symbols(tree, ["usr/bin/sh"])


def test_a_wrapper_finds_its_tree_wherever_it_was_moved_and_by_whatever_name_it_is_called(tmp_path: Path) -> None:
    tree = tmp_path / "moved here"
    runs = tools.Runs("usr/lib64/ld.so", "machine-linux-gnu")
    loader = tree / runs.loader
    loader.parent.mkdir(parents=True)
    tools.place(loader, '#!/bin/sh\nprintf "%s\\n" "$@"\n')
    tools.place(tree / "bin/mcopy", tools.wrapper("usr/bin/mtools", runs))
    (tmp_path / "link").symlink_to(tree / "bin/mcopy")
    done = subprocess.run([tmp_path / "link", "a b"], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[:3] == ["--argv0", str(tmp_path / "link"), "--library-path"]
    assert said[-1] == "a b"
    assert Path(said[3]).resolve() == tree / "usr/lib/machine-linux-gnu"
    assert Path(said[4]).resolve() == tree / "usr/bin/mtools"


def test_a_program_that_the_tools_packages_lack_is_named() -> None:
    with pytest.raises(DebianError, match="no program nosuch"):
        tools.find(Tree(merged_usr=True), "nosuch")


def test_a_user_without_subordinate_ids_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.place(tmp_path / "unshare", '#!/bin/sh\necho "newuidmap: no ids" >&2\nexit 1\n')
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DebianError) as caught:
        rootfs.unshare_argv(1000)
    assert "newuidmap: no ids" in caught.value.why
    assert "/etc/subuid" in caught.value.hint


def test_root_needs_no_user_namespace_and_nobody_gets_a_network() -> None:
    argv = rootfs.unshare_argv(0)
    assert "--net" in argv
    assert "--map-auto" not in argv


def test_cleaning_a_root_removes_logs_and_backups_but_keeps_folders() -> None:
    tree = Tree()
    for path in (
        "var/log/dpkg.log",
        "var/log/app/x",
        "etc/passwd-",
        "etc/passwd",
        "run/lock/x",
        "var/lib/dpkg/status-old",
    ):
        tree.file(path, b"")
    rootfs.clean(tree)
    left = [path for path, entry in tree.items()]
    assert left == ["etc", "etc/passwd", "run", "var", "var/lib", "var/lib/dpkg", "var/log", "var/log/app"]


def test_a_layer_that_has_files_of_another_names_its_packages_with_their_licences(tmp_path: Path) -> None:
    """The kernel's modules in the host: they come by way of the bsp layer, and so do their terms."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    bsp = published(tmp_path / "one", "bsp")
    carried, copyrights = carried_from(bsp)
    assert sorted(copyrights) == ["own", "tool"]
    host = tmp_path / "two" / "host"
    host.mkdir()
    layer = Layer("host", "host", "host", "1.0", "amd64", "debian-13", 5)
    mine = {**copyrights, "program": b"BSD"}
    publish(
        layer, host, {}, [], mine, [Component("program", "2", "BSD-3-Clause"), Component("own", "0.1", "MIT")], carried
    )
    document = parse_file(str(host / "host.spdx.json"))
    assert validate_full_spdx_document(document) == []
    ours = {p["name"]: p for p in json.loads((host / "host.spdx.json").read_bytes())["packages"]}
    theirs = {p["name"]: p for p in json.loads((bsp / "bsp.spdx.json").read_bytes())["packages"]}
    assert sorted(ours) == ["host", "own", "program", "tool"]
    assert ours["tool"] == theirs["tool"]
    with tarfile.open(host / "copyright.tar") as tar:
        member = tar.extractfile("tool/copyright")
        assert member is not None
        assert member.read() == b"terms"


def test_a_carried_package_without_its_terms_stops_the_layer(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    carried, copyrights = carried_from(published(tmp_path / "one", "bsp"))
    del copyrights["tool"]
    host = tmp_path / "host"
    host.mkdir()
    layer = Layer("host", "host", "host", "1.0", "amd64", "debian-13", 5)
    with pytest.raises(DebianError, match="no copyright file is known of tool"):
        publish(layer, host, {}, [], copyrights, [], carried)
