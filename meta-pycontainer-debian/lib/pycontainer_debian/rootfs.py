# SPDX-License-Identifier: MIT
"""A root file system whose packages dpkg installed: in a chroot, in namespaces of its own, without a network.

The parent (`configured`) starts this module again under unshare(1): with root's own ids when it is root, else in a user
namespace with subordinate ids (subuid(5)). The child makes the tree, runs dpkg, and hands back one tar.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .archives import read_tar, write_tar
from .disk import extract, from_directory
from .errors import DebianError
from .foreign import Overlay, only_programs
from .foreign import install as install_foreign
from .layer import Packages
from .tree import Tree

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_MOUNTED = ("mnt", "dev", "proc")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_VOLATILE = ("run/*", "tmp/*", "dev/*", "proc/*")
# Files only: the folders are part of what packages expect to find.
_LEFTOVERS = (
    "var/log/*",
    "var/cache/*",
    "var/lib/dpkg/*-old",
    "var/lib/dpkg/lock*",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/dpkg/available",
    "var/lib/apt/lists/*",
    "etc/*-",
    "etc/hostname",
    "usr/sbin/policy-rc.d",
    "root/.*",
)
_POLICY = b"#!/bin/sh\n# No service starts while an image is made.\nexit 101\n"


def unshare_argv(uid: int) -> list[str]:
    """Return the command that starts a program in namespaces of its own; raises DebianError when there is no way."""
    argv = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    if uid == 0:
        return argv
    argv += ["--map-root-user", "--map-auto"]
    done = subprocess.run([*argv, "true"], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise DebianError(
            "a Debian root file system cannot be configured by this user",
            f"no user namespace with subordinate ids: {done.stderr.strip()[-200:]}",
            "build as root; or install the package uidmap, give this user 65536 ids in /etc/subuid and /etc/subgid, "
            "and allow user namespaces",
        )
    return argv


def configured(packages: Packages, work: Path, architecture: str = "", native: Packages | None = None) -> Tree:
    """Return the tree of a root file system in which dpkg installed and configured the packages.

    For another `architecture` than the build machine's, `native` are the same packages as the build machine runs them.
    Raises DebianError with dpkg's last words. `work` is a folder for this alone; file contents stay in it.
    """
    epoch = packages.epoch
    packages.tree.file("usr/sbin/policy-rc.d", _POLICY, 0o755)
    seed, result = work / "seed.tar", work / "rootfs.tar"
    write_tar(packages.tree, seed)
    request = work / "request.json"
    debs = [str(file.path) for file in packages.files]
    asked = {"seed": str(seed), "result": str(result), "epoch": epoch, "debs": debs}
    if native is not None:
        native.tree.remove(only_programs)
        write_tar(native.tree, work / "native.tar")
        build = next(file.locked.architecture for file in native.files if file.locked.architecture != "all")
        asked |= {"native": str(work / "native.tar"), "architectures": [build, architecture]}
    request.write_text(json.dumps(asked))
    environment = {
        "PATH": _PATH,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    argv = [*unshare_argv(os.getuid()), sys.executable, "-s", "-m", "pycontainer_debian.rootfs", str(request)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, env=environment)
    print(done.stdout)
    if done.returncode != 0:
        words = " / ".join(done.stderr.strip().splitlines()[-4:])
        hint = "the task's log has dpkg's output"
        raise DebianError("the packages cannot be installed into the new root", words, hint)
    tree = read_tar(result)
    tree.mtime = epoch
    return tree


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def _prepare(root: Path) -> None:
    for name in ("proc", "dev", "mnt", "tmp", "run"):
        (root / name).mkdir(exist_ok=True)
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / "dev"))
    for name in _DEVICES:
        (root / "dev" / name).touch()
        _mount("--bind", f"/dev/{name}", str(root / "dev" / name))
    (root / "dev/fd").symlink_to("/proc/self/fd")
    (root / "dev/shm").mkdir()


def _skeleton(root: Path) -> None:
    state = root / "var/lib/dpkg"
    for name in ("info", "updates", "parts", "alternatives", "triggers"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()


def _shelve(root: Path, debs: list[str]) -> None:
    shelf = root / "mnt"
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(shelf))
    for path in debs:
        (shelf / Path(path).name).touch()
        _mount("--bind", path, str(shelf / Path(path).name))


def _environment(epoch: int) -> dict[str, str]:
    return {
        "PATH": _PATH,
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "SOURCE_DATE_EPOCH": str(epoch),
        "TZ": "UTC",
        "HOME": "/root",
    }


def _install(root: Path, debs: list[str], epoch: int, overlay: Overlay | None, architectures: list[str]) -> None:
    names = [f"/mnt/{Path(path).name}" for path in debs]

    def dpkg(view: Path, words: list[str]) -> None:
        files = names if words[-1] in ("--install", "--unpack") else []
        argv = ["chroot", str(view), "dpkg", *words, *files]
        subprocess.run(argv, check=True, env=_environment(epoch), stderr=subprocess.STDOUT)

    def prepare(view: Path) -> None:
        _prepare(view)
        _shelve(view, debs)

    if overlay is None:
        prepare(root)
        dpkg(root, ["--force-depends", "--force-unsafe-io", "--force-confnew", "--install"])
    else:
        install_foreign(overlay, architectures, prepare, dpkg)
    view = root if overlay is None else overlay.view
    audit = subprocess.run(
        ["chroot", str(view), "dpkg", "--audit"], check=True, env=_environment(epoch), capture_output=True, text=True
    )
    if audit.stdout.strip():
        raise DebianError("dpkg left packages half configured", audit.stdout.strip().splitlines()[0])


def clean(tree: Tree) -> None:
    """Remove what depends on when and where dpkg ran: logs, caches, backups, locks, and all of the volatile folders."""
    tree.strip(_VOLATILE)
    for path, entry in tree.items():
        if not entry.is_dir and any(fnmatch.fnmatchcase(path, pattern) for pattern in _LEFTOVERS):
            del tree.entries[path]


def _collect(root: Path, epoch: int, result: Path) -> None:
    tree = from_directory(root)
    tree.mtime = epoch
    clean(tree)
    tree.file("etc/machine-id", b"", 0o444)
    tree.clamp(epoch)
    write_tar(tree, result)


def _release(root: Path) -> None:
    for name in (*(f"dev/{device}" for device in _DEVICES), "dev", "proc"):
        subprocess.run(["umount", str(root / name)], check=True)
    subprocess.run(["umount", "--recursive", str(root / "mnt")], check=True)


def _overlay(request: dict[str, Any], root: Path) -> Overlay | None:
    if "native" not in request:
        return None
    place, native = root.with_name("overlay"), root.with_name("native")
    shutil.rmtree(native, ignore_errors=True)
    extract(read_tar(Path(request["native"])), native, owners=True)
    place.mkdir(exist_ok=True)
    # Of tmpfs: the upper layer may not itself lie on an overlay, as in a container it would.
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(place))
    return Overlay(native, root, place)


def main(argv: list[str]) -> int:
    """Make the root file system that a request file describes; runs within the namespaces of `unshare_argv`."""
    request = json.loads(Path(argv[1]).read_text())
    result, epoch = Path(request["result"]), int(request["epoch"])
    root = result.with_name("root")
    _mount("--make-rprivate", "/")
    shutil.rmtree(root, ignore_errors=True)
    try:
        extract(read_tar(Path(request["seed"])), root, owners=True)
        _skeleton(root)
        overlay = _overlay(request, root)
        _install(root, request["debs"], epoch, overlay, request.get("architectures", []))
        if overlay is None:
            _release(root)
            _collect(root, epoch, result)
        else:
            overlay.hide()
            _collect(overlay.settle(request["architectures"][1]), epoch, result)
    except subprocess.CalledProcessError as problem:
        print(f"{Path(problem.cmd[0]).name} failed with exit status {problem.returncode}", file=sys.stderr)
        return 1
    except DebianError as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        for place in (root.with_name("overlay") / "view", root.with_name("overlay"), *(root / n for n in _MOUNTED)):
            subprocess.run(["umount", "--recursive", "--lazy", str(place)], check=False, capture_output=True)
        for folder in (root, root.with_name("native"), root.with_name("overlay")):
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
