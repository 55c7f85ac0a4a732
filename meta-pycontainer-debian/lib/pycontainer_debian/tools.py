# SPDX-License-Identifier: MIT
"""Programs of a Debian suite that run on any Linux of their architecture: unpacked, and started by their own loader.

A wrapper is a few lines of shell: the tree's ld.so with --library-path and --argv0 (ld.so(8)), found from the wrapper's
own place, so that the tree may be moved. No chroot, no root, nothing outside the tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .disk import extract
from .errors import DebianError
from .tree import Tree


@dataclass(frozen=True)
class Runs:
    """How the build machine's programs are started: by their loader, with libraries in the folder of their triplet."""

    loader: str
    triplet: str

    @property
    def libraries(self) -> str:
        """The folder of Debian's libraries."""
        return f"usr/lib/{self.triplet}"


_WRAPPER = """#!/bin/sh
self=$0
if [ -L "$self" ]; then self=$(readlink -f "$self"); fi
t=${{self%/*}}/{up}
{environment}exec "$t/{loader}" --argv0 {argv0} --library-path "$t/{libraries}" "$t/{program}" {arguments}"$@"
"""


def wrapper(
    program: str, runs: Runs, *, folder: str = "bin", argv0: str = '"$0"', arguments: str = "", environment: str = ""
) -> str:
    """Return a wrapper's text for `program` (a path in the tree); `folder` is where the wrapper will lie."""
    up = "/".join(".." for _ in PurePosixPath(folder).parts)
    return _WRAPPER.format(
        up=up,
        loader=runs.loader,
        libraries=runs.libraries,
        program=program,
        argv0=argv0,
        arguments=arguments and arguments + " ",
        environment=environment and environment + "\n",
    )


def place(path: Path, text: str) -> None:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def find(tree: Tree, name: str) -> str:
    """Return the path of a program in the tree: usr/bin, usr/sbin or usr/lib; raises DebianError when there is none."""
    for folder in ("usr/bin", "usr/sbin"):
        if tree.lookup(f"{folder}/{name}") is not None:
            return f"{folder}/{name}"
    raise DebianError(
        f"the packages of the tools tree have no program {name}",
        "neither usr/bin nor usr/sbin has it",
        "add the package that brings it to DEBIAN_PACKAGES, or take it out of TOOLS",
    )


# mke2fs would read the host's /etc/mke2fs.conf, and its defaults decide what the bytes are.
_ENVIRONMENT = dict.fromkeys(
    ("mke2fs", "mkfs.ext4"), "MKE2FS_CONFIG=${MKE2FS_CONFIG:-$t/etc/mke2fs.conf}; export MKE2FS_CONFIG"
)


def install(tree: Tree, target: Path, programs: list[str], runs: Runs) -> None:
    """Unpack a tree and make bin/<program> for each program; raises DebianError when the tree lacks one."""
    extract(tree, target)
    for name in sorted(programs):
        place(target / "bin" / name, wrapper(find(tree, name), runs, environment=_ENVIRONMENT.get(name, "")))


def install_compiler(tree: Tree, target: Path, triplet: str, version: str, runs: Runs) -> None:
    """Add bin/<triplet>-gcc and its parts: the driver finds cc1, as and ld as wrappers too, by -B.

    The caller gives --sysroot; the compiler's own headers and libgcc come from the tree.
    """
    for name in ("cc1", "collect2", "lto1", "lto-wrapper"):
        # Debian keeps a cross compiler's own programs apart from the native one's.
        for parts in ("usr/libexec/gcc", "usr/libexec/gcc-cross"):
            program = f"{parts}/{triplet}/{version}/{name}"
            if tree.lookup(program) is not None:
                place(target / "parts" / name, wrapper(program, runs, folder="parts"))
    for name in ("as", "ld", "ar", "nm", "ranlib", "strip", "objcopy", "objdump"):
        program = find(tree, f"{triplet}-{name}")
        place(target / "parts" / name, wrapper(program, runs, folder="parts"))
        place(target / "bin" / f"{triplet}-{name}", wrapper(program, runs))
    # argv[0] tells the driver where its own headers lie, relative to usr/bin.
    driver = find(tree, f"{triplet}-gcc-{version}")
    text = wrapper(driver, runs, argv0=f'"$t/{driver}"', arguments='-B"$t/parts/"')
    place(target / "bin" / f"{triplet}-gcc", text)
