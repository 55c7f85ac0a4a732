# SPDX-License-Identifier: MIT
"""Who owns which file of a layer, noted while it is put together."""

import json
import stat
from types import SimpleNamespace

from pycontainer_debian.contents import DEPMOD, INSTALLATION, RECIPE, Contents
from pycontainer_debian.spdx import needed
from pycontainer_debian.tree import Content, Entry, Tree

from orchestrator.sbom.contents import Contents as Contract


def tree(files: dict[str, str], size: int = 1) -> Tree:
    """Return a tree with these files; the value is the package that each came from."""
    made = Tree()
    for path, origin in files.items():
        made.entries[path] = Entry(stat.S_IFREG | 0o644, content=Content.of(bytes(size)), origin=origin)
    return made


PACKAGES = tree(
    {"usr/bin/a": "tool", "usr/share/doc/tool/copyright": "tool", "usr/share/man/a": "tool", "usr/lib/x": "lib"}
)


def account(contents: Contents) -> dict:
    return json.loads(contents.to_json())


def test_files_belong_to_the_package_that_brought_an_entry_of_their_path():
    layer = tree({"usr/bin/a": "", "etc/own": "", "var/lib/dpkg/status": ""})
    contents = Contents()
    contents.explain(RECIPE, ["/etc/own"])
    contents.settle(layer, PACKAGES, INSTALLATION)
    found = account(contents)
    assert found["owners"] == {"tool": ["usr/bin/a"]}
    assert found["explained"] == {RECIPE: ["etc/own"], INSTALLATION: ["var/lib/dpkg/status"]}


def test_what_the_packages_have_and_the_layer_has_not_is_removed_by_kind():
    contents = Contents()
    contents.settle(tree({"usr/bin/a": "tool"}), PACKAGES)
    assert [(each["reason"], each["files"], each["size"]) for each in account(contents)["removed"]] == [
        ("documentation", 1, 1),
        ("manual pages", 1, 1),
        ("parts of packages that the layer does not need", 1, 1),
    ]


def test_modules_of_the_host_belong_to_whom_those_of_the_bsp_belong_packed_or_not():
    bsp = {"owners": {"linux-image": ["lib/modules/6/kernel/a.ko.xz"]}}
    layer = tree({"usr/lib/modules/6/kernel/a.ko": "", "usr/lib/modules/6/modules.dep": "", "init": ""})
    contents = Contents()
    contents.from_modules(layer, bsp)
    found = account(contents)
    assert found["owners"] == {"linux-image": ["usr/lib/modules/6/kernel/a.ko"]}
    assert found["explained"] == {DEPMOD: ["usr/lib/modules/6/modules.dep"]}


def test_the_orchestrator_reads_what_the_base_writes():
    import msgspec

    contents = Contents()
    contents.settle(tree({"usr/bin/a": "tool"}), PACKAGES)
    read = msgspec.json.decode(contents.to_json(), type=Contract)
    assert read.owners == {"tool": ["usr/bin/a"]}
    assert sum(each.files for each in read.removed) == 3


def test_dependencies_are_those_among_the_packages_of_the_layer_with_all_providers():
    def deb(name, **control):
        return SimpleNamespace(name=name, control={key.replace("_", "-"): value for key, value in control.items()})

    shell = deb("dash", Provides="sh")
    libc = deb("libc6", Depends="libgcc-s1, libcrypt1 (>= 1)")
    tool = deb("tool", Pre_Depends="libc6 (>= 2)", Depends="sh | missing, tool")
    found = [(one.name, other.name) for one, other in needed([tool, libc, shell])]
    assert found == [("tool", "dash"), ("tool", "libc6")]
