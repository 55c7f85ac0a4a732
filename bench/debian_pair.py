# SPDX-License-Identifier: MIT
"""States of one Debian root file system, before and after security updates, from what the mirror offers today.

`now` has the newest version of every package. `release` is the same list of packages from the suite alone, without the
security archive: what came since the last point release is missing. `older` has, of each package of which suite and
security archive have different versions, the older one: some of its packages are behind by an update of the point
release too. A mirror keeps no more than these. Needs root, the network, and Debian's mmdebstrap.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cmp_to_key
from pathlib import Path

from orchestrator.compliance.bundle.mirror import mirrors
from orchestrator.layers.nodes import Directory, Node
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Tree

SUITE = "trixie"
EPOCH = 1_750_000_000
PACKAGES = (
    "bind9-host,ca-certificates,curl,dbus,iproute2,iputils-ping,kmod,krb5-user,libgssapi-krb5-2,libxml2,nftables,nginx,"
    "openssh-server,openssl,python3,rsync,sudo,systemd,systemd-sysv,tzdata,udev,util-linux,wpasupplicant,xz-utils"
)
STRIP = [
    f"usr/share/{name}/*"
    for name in ("bash-completion", "bug", "common-licenses", "doc", "doc-base", "info", "lintian", "locale", "man")
]
"""As a layer of the Debian base leaves out (meta-pycontainer-debian, PYCONTAINER_STRIP)."""
STATES = {"release": (SUITE,), "older": (SUITE, f"{SUITE}-security"), "now": (SUITE, f"{SUITE}-security")}
_CLEAN = """
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log \
    "$1"/var/log/apt "$1"/var/cache/ldconfig/aux-cache "$1"/etc/apt/preferences.d/* "$1"/etc/apt/sources.list \
    "$1"/etc/ssh/ssh_host* "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old
echo uninitialized > "$1"/etc/machine-id
"""


def make_states(folder: Path) -> dict[str, Path]:
    """Make the tars of all states in a folder, those that are not there; returns them by name."""
    if shutil.which("mmdebstrap") is None:
        raise SystemExit("the pair is made by mmdebstrap: apt-get install mmdebstrap")
    (folder / "debs").mkdir(parents=True, exist_ok=True)
    (folder / "none").write_text("")
    _make(folder, "now", folder / "none")
    _make(folder, "release", folder / "none")
    (folder / "pins").write_text(_pins((folder / "madison").read_text()))
    _make(folder, "older", folder / "pins")
    return {state: folder / f"{state}.tar" for state in STATES}


def _make(folder: Path, state: str, preferences: Path) -> None:
    tar = folder / f"{state}.tar"
    if tar.exists():
        return
    main, security = mirrors(os.environ)
    sources = [f"deb {security if suite.endswith('-security') else main} {suite} main" for suite in STATES[state]]
    keep = f'cp -n {folder}/debs/*.deb "$1"/var/cache/apt/archives/ 2>/dev/null || true'
    kept = f'cp -n "$1"/var/cache/apt/archives/*.deb {folder}/debs/ || true'
    known = (
        f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-cache madison '
        f'$(sed -n "s/^Package: //p" "$1"/var/lib/dpkg/status) > {folder}/madison'
    )
    hooks = [f'cp {preferences} "$1"/etc/apt/preferences.d/pair', f'mkdir -p "$1"/var/cache/apt/archives; {keep}']
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--skip=essential/unlink", "--skip=cleanup/apt"]
    argv += ['--aptopt=Acquire::Languages "none"', f"--include={PACKAGES}"]
    argv += [f"--setup-hook={hook}" for hook in hooks]
    argv += [f"--customize-hook={hook}" for hook in (kept, *([known] if state == "now" else []), _CLEAN)]
    temporary = folder / f"{state}.new.tar"
    subprocess.run(
        [*argv, SUITE, temporary, "-"],
        input="\n".join(sources).encode(),
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
        stderr=(folder / f"{state}.log").open("wb"),
        check=True,
    )
    temporary.rename(tar)


def _pins(madison: str) -> str:
    """Return the apt preferences that choose, of two versions of a package, the older."""
    versions: dict[str, set[str]] = {}
    for line in madison.splitlines():
        package, version, _ = (word.strip() for word in line.split("|"))
        versions.setdefault(package, set()).add(version)
    pins = []
    for package, found in sorted(versions.items()):
        if len(found) > 1:
            oldest = min(found, key=cmp_to_key(_compare))
            pins.append(f"Package: {package}\nPin: version {oldest}\nPin-Priority: 1001\n")
    return "\n".join(pins)


def _compare(one: str, other: str) -> int:
    return -1 if subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False).returncode == 0 else 1


def installed(tar: Path) -> dict[str, str]:
    """Return the versions of the packages in a state."""
    status = subprocess.run(["tar", "xOf", tar, "./var/lib/dpkg/status"], stdout=subprocess.PIPE, check=True).stdout
    fields = re.findall(r"^(?:Package: (.*)|Version: (.*))$", status.decode(), re.MULTILINE)
    names = [name for name, _ in fields if name]
    return dict(zip(names, [version for _, version in fields if version], strict=True))


def tree_of(tar: Path) -> Tree:
    """Return a state as a tree, without what no layer ships."""
    tree = Tree()
    read_tar(tar, tree)
    for path, _ in list(tree.walk()):
        if any(fnmatchcase(path.decode("utf-8", "replace"), pattern) for pattern in STRIP):
            tree.remove(path)
    return tree


class Ordered(Tree):
    """A tree whose files are packed in another order; folders come first, what the order finds equal by path."""

    def __init__(self, tree: Tree, order: Callable[[bytes, Node], bytes | int]) -> None:
        super().__init__(tree.limits)
        self.root = tree.root
        self._order = order

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Yield the folders, then all else in the order."""
        entries = list(super().walk())
        yield from (entry for entry in entries if isinstance(entry[1], Directory))
        others = [entry for entry in entries if not isinstance(entry[1], Directory)]
        yield from sorted(others, key=lambda entry: self._order(*entry))


def by_package(tree: Tree) -> Tree:
    """The files of a package one after the other, by dpkg's lists."""
    owner: dict[bytes, bytes] = {}
    info = tree.get(b"var/lib/dpkg/info")
    assert isinstance(info, Directory)
    for name, node in sorted(info.children.items()):
        package = name.rpartition(b".")[0]
        owner[b"var/lib/dpkg/info/" + name] = package
        if name.endswith(b".list"):
            for line in b"".join(node.content.chunks()).splitlines():  # type: ignore[union-attr]
                path = line.strip(b"/")
                owner.setdefault(path, package)
                owner.setdefault(b"usr/" + path, package)  # listed by the name from before the merge of / and /usr
    return Ordered(tree, lambda path, node: owner.get(path.strip(b"/"), b"~"))


def by_time(tree: Tree) -> Tree:
    """The files in the order of their times of change: those of one build of a package have one."""
    return Ordered(tree, lambda path, node: node.mtime)
