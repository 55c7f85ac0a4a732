# SPDX-License-Identifier: MIT
"""The commands that change a store, a product's folder, a remote, a bundle or keys; each with the state it finds.

All are the real command line's; a scene's folder holds everything that they may touch: `ours` and `theirs` (two
people's product folders, with the same keys), `remote` (a store), `keys`, `home`, `tmp`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.main import main
from orchestrator.cli.parser import make_parser
from tests.unit.history.sample import Works

LARGE = "a page " * 100_000
"""More than the pieces in which blobs are copied, in one of the revisions."""


@dataclass(frozen=True)
class Scene:
    """`words` is the command, run in `where`. `steps` says that it is made of several changes, each whole by itself, so
    that it may leave some of them done (what a remote has is fetched before a channel follows)."""

    name: str
    prepare: Callable[[Path], None]
    words: tuple[str, ...]
    where: str = "ours"
    steps: bool = False


def environment(arena: Path) -> Mapping[str, str]:
    """What a command's process is told, so that it touches nothing outside."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {
        "HOME": str(arena / "home"),
        "TMPDIR": str(arena / "tmp"),
        "PYCONTAINER_KEYS": str(arena / "keys"),
        "SOURCE_DATE_EPOCH": "1700000000",
        "REGISTRY_AUTH_FILE": str(arena / "home" / "auth.json"),
    }


def enter(arena: Path, where: str) -> None:
    """Let this process be one that a person starts in a folder of the scene."""
    os.environ.clear()
    os.environ.update(environment(arena))
    os.chdir(arena / where)


def command(arena: Path, where: str, *words: str) -> Callable[[], int]:
    """A run of the command line, to be called in a process of its own."""

    def action() -> int:
        enter(arena, where)
        return main(words)

    return action


def warm() -> None:
    """Import the command line once, so that the processes to come need not."""
    make_parser()


def _ours(arena: Path) -> Works:
    """Two revisions, a tag, a candidate that is not committed, and a build that nothing leads to any more."""
    works = Works(arena / "ours")
    works.build("1.0.0", "one")
    works.commit("one")
    works.build("1.1.0", LARGE)
    works.commit("two")
    works.store.tag("v1", works.names.load("main~1").descriptor)
    works.build("5.0.0", "lost")
    works.build("6.0.0", "candidate")
    return works


def ours(arena: Path) -> None:
    """One person's product; the keys have come with it."""
    _ours(arena)


def remote(arena: Path) -> None:
    """The product knows a remote, which is not there yet."""
    _ours(arena)
    _run(arena, "ours", "remote", "add", "origin", str(arena / "remote"))


def pushed(arena: Path) -> None:
    """The remote has all but the newest revision; a colleague has nothing but the product file."""
    remote(arena)
    _run(arena, "ours", "push", "origin", "--tags")
    _run(arena, "ours", "commit", "-m", "three")
    (arena / "theirs").mkdir()
    shutil.copy(arena / "ours" / "pycontainer.yaml", arena / "theirs")
    _run(arena, "theirs", "remote", "add", "origin", str(arena / "remote"))


def behind(arena: Path) -> None:
    """A colleague has what the remote had before it got the newest revision."""
    pushed(arena)
    _run(arena, "theirs", "pull")
    _run(arena, "ours", "push")


def rooted(arena: Path) -> None:
    """Roles are given by a root document."""
    _ours(arena)
    _run(arena, "ours", "trust", "init")


def _run(arena: Path, where: str, *words: str) -> None:
    code = command(arena, where, *words)()
    if code:
        raise RuntimeError(f"pycontainer {' '.join(words)} ended with {code}")


_SCENES = (
    Scene("commit", ours, ("commit", "-m", "the next")),
    Scene("revert", ours, ("revert", "HEAD")),
    Scene("tag", ours, ("tag", "v2")),
    Scene("tag-move", ours, ("tag", "--force", "v1")),
    Scene("tag-delete", ours, ("tag", "--delete", "v1")),
    Scene("gc", ours, ("gc", "--keep", "1")),
    Scene("checkout", ours, ("checkout", "--force", "v1"), steps=True),
    Scene("bundle-tar", ours, ("bundle", "create", "main", "-o", "../stick/update.tar"), steps=True),
    Scene("bundle-folder", ours, ("bundle", "create", "main", "-o", "../stick/update"), steps=True),
    Scene("channel-set", ours, ("channel", "set", "stable", "main")),
    Scene("push-new", remote, ("push", "--tags"), steps=True),
    Scene("push", pushed, ("push", "--tag", "v3"), steps=True),
    Scene("fetch", pushed, ("fetch",), "theirs", steps=True),
    Scene("pull-new", pushed, ("pull",), "theirs", steps=True),
    Scene("pull", behind, ("pull",), "theirs", steps=True),
    Scene("clone", pushed, ("clone", "remote", "copy"), ".", steps=True),
    Scene("remote-add", remote, ("remote", "add", "second", "/nowhere")),
    Scene("key-new", ours, ("key", "new", "--no-passphrase", "other"), steps=True),
    Scene("key-rotate", ours, ("key", "rotate", "--no-passphrase", "signing"), steps=True),
    Scene("trust-init", ours, ("trust", "init"), steps=True),
    Scene("trust-rotate", rooted, ("key", "rotate", "--no-passphrase", "signing"), steps=True),
)
SCENES = {scene.name: scene for scene in _SCENES}
