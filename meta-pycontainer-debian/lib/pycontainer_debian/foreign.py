# SPDX-License-Identifier: MIT
"""Packages of another architecture, configured without emulating its processor.

Maintainer scripts are programs of no architecture; what they call is. So they run where the build machine's builds of
the same packages lie over the root file system: one overlay (Linux Documentation/filesystems/overlayfs.rst) whose
lower layers are the native packages' usr/ and, below it, the root; what the scripts change goes to its upper layer,
and in the end that is laid over the root alone. dpkg is the native one and keeps the root's own database. A script
that calls a program which only the other architecture has fails, and the build with it.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from .errors import DebianError

_PREFIX = "usr"
_ELF = b"\x7fELF"
# e_machine, gABI chapter 4; enough of the header to tell one architecture's programs from another's.
_MACHINE = slice(18, 20)
# Which directories have which libraries of the build machine: the loader does without, and looks where they are.
_NATIVE_ONLY = ("etc/ld.so.cache", "var/cache/ldconfig/aux-cache")
_ARCHITECTURES = "var/lib/dpkg/arch"
TARGET = "mnt/target"


class Overlay:
    """The native packages' programs over a root file system, in folders below `work`, which is a tmpfs.

    `native` and `root` are directories. Use `mounted`; the caller is in a mount namespace of its own.
    """

    def __init__(self, native: Path, root: Path, work: Path) -> None:
        self.native, self.root, self.work = native, root, work
        self.view = work / "view"
        self.upper = work / "upper"
        for folder in (self.view, self.upper, work / "work"):
            folder.mkdir()

    def mount(self, lower: list[Path], where: Path) -> None:
        """Mount directories over each other, the first one on top, with the changes above."""
        words = f"lowerdir={':'.join(map(str, lower))},upperdir={self.upper},workdir={self.work / 'work'}"
        if os.getuid() != 0 or Path("/proc/self/uid_map").read_text().split()[1:2] != ["0"]:
            words += ",userxattr"
        try:
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", words, str(where)], check=True)
        except subprocess.CalledProcessError as problem:
            raise DebianError(
                "a root file system of another architecture cannot be configured here",
                "the kernel refuses an overlay of directories in a namespace of one's own",
                "build as root, or on Linux 6.6 or newer with the module overlay",
            ) from problem

    def show(self) -> Path:
        """Mount the view that scripts run in."""
        self.mount([self.native, self.root], self.view)
        return self.view

    def hide(self) -> None:
        """Unmount it, and whatever was mounted in it."""
        subprocess.run(["umount", "--recursive", str(self.view)], check=True)

    def settle(self, architecture: str) -> Path:
        """Return the root with the scripts' changes over it, mounted; nothing of it is the build machine's.

        Raises DebianError for a program of the build machine's architecture that a script made or took over.
        """
        for name in _NATIVE_ONLY:
            (self.upper / name).unlink(missing_ok=True)
        machine = _machine(self.native)
        for path in sorted(self.upper.rglob("*")):
            if path.is_symlink() or not path.is_file() or _header(path)[_MACHINE] != machine:
                continue
            own = self.root / path.relative_to(self.upper)
            if not own.is_file():
                raise DebianError(
                    f"a maintainer script made /{path.relative_to(self.upper)}, a program of the build machine",
                    f"the root file system is for {architecture}",
                    "leave the package out, or build it on a machine of that architecture",
                )
            # Its owner or mode was changed, which made the overlay copy it up.
            _take_content(own, path)
        self.mount([self.root], self.view)
        # To the root's own dpkg, its architecture is the native one, and the only one.
        (self.view / _ARCHITECTURES).unlink()
        (self.view / "var/lib/dpkg/arch-native").write_text(f"{architecture}\n")
        return self.view


def _take_content(source: Path, target: Path) -> None:
    facts = target.lstat()
    shutil.copyfile(source, target)
    os.utime(target, ns=(source.lstat().st_atime_ns, source.lstat().st_mtime_ns))
    target.chmod(stat.S_IMODE(facts.st_mode))


def _header(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_MACHINE.stop)
    return data if data.startswith(_ELF) else b""


def _machine(native: Path) -> bytes:
    header = _header((native / "usr/bin/dpkg").resolve())
    if not header:
        raise DebianError("the native packages have no dpkg", "it configures the packages of the other architecture")
    return header[_MACHINE]


def only_programs(path: str) -> bool:
    """Whether a path of a native package counts: what lies in usr/, and not what the scripts keep elsewhere."""
    return path == _PREFIX or path.startswith(f"{_PREFIX}/")


def install(
    overlay: Overlay, architectures: list[str], prepare: Callable[[Path], None], run: Callable[[Path, list[str]], None]
) -> None:
    """Unpack packages into the root and configure them; `architectures` are the build machine's and the root's.

    `prepare` mounts into a view what programs expect, and the package files; `run` runs dpkg in it with arguments to
    which it adds the package files when the last one is `--unpack`.
    """
    force = ["--force-depends", "--force-architecture", "--force-unsafe-io", "--force-confnew"]
    (overlay.root / _ARCHITECTURES).write_text("".join(f"{name}\n" for name in architectures))
    view = overlay.show()
    prepare(view)
    target = view / TARGET
    target.mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(overlay.root), str(target)], check=True)
    run(view, [*force, "--force-script-chrootless", f"--root=/{TARGET}", "--unpack"])
    overlay.hide()
    # Anew, because what lies below an overlay may not change while it is mounted.
    prepare(overlay.show())
    run(view, [*force, "--configure", "--pending"])
