# SPDX-License-Identifier: MIT
"""What a scene's folder says to people, so that two of them can be compared: a store by its names and revisions, keys
by what they are for, all else by its bytes. Of a store also whether it is whole, by the store's own check and ours."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import PyContainerError
from orchestrator.oci import Store, fsck
from orchestrator.revision import REVISION_TYPE
from orchestrator.trust.private import PrivateKey

View = dict[str, str]
"""By place: files by their path, a store's tags and revisions by the store's path and `#`."""

ATTACHED = "#attached "
"""In a place: its value is a list."""
_LOCKS = (".lock", ".writers")
_UNFINISHED = re.compile(
    r"(^|/)(tmp/.|\.tmp/.|\.partial/.|\.[^/]*\.(tmp|new)(/|$)|\.pycontainer-[0-9]+-|\.[^/]*\.clon)"
)
_STORE_FILES = ("index.json", "oci-layout")
_NUMBERS = re.compile(r"[0-9a-f]{32}|(?<=[.-])[0-9]+(?=[.-])|(?<=pycontainer-)[a-z0-9_]{8}")


def view(arena: Path, *, before: View | None = None) -> View:
    """Return the state of a scene's folder; `before`, an earlier one, tells the keys that are new, and as random."""
    found: View = {}
    for path in _files(arena):
        place = path.relative_to(arena).as_posix()
        if path.name in _LOCKS or _in_store(path, arena):
            continue
        found[place] = _content(path, place, before or {})
    for root in stores(arena):
        found |= _of_store(root, root.relative_to(arena).as_posix())
    return found


def stores(arena: Path) -> list[Path]:
    """The stores in a scene's folder, unfinished ones not among them."""
    return sorted(
        path.parent for path in _files(arena)
        if path.name == "oci-layout" and not unfinished(path.relative_to(arena).as_posix())
    )  # fmt: skip


def unfinished(place: str) -> bool:
    """Whether a place is one where a command keeps what it has not finished."""
    return _UNFINISHED.search(place) is not None


def unnumbered(place: str) -> str:
    """A place without the numbers of processes, and without what is random, in it."""
    return _NUMBERS.sub("N", place)


def damage(arena: Path) -> list[str]:
    """What is wrong with the stores, as `fsck` of the package says; empty for nothing."""
    wrong = []
    for root in stores(arena):
        try:
            wrong += [f"{root.name}: {each.digest[:19]} {each.what}" for each in fsck(Store.open(root)).problems]
        except PyContainerError as problem:
            wrong.append(f"{root.name}: {problem.what}: {problem.why}")
    return wrong


def fingerprint(arena: Path) -> str:
    """A digest of all files, by which two faults that leave the same are known."""
    lines = []
    for path in _files(arena):
        place = unnumbered(path.relative_to(arena).as_posix())
        lines.append(f"{place} {path.lstat().st_mode:o} {_digest(path)}")
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def _files(arena: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(arena):
        for name in sorted(names):
            yield Path(folder, name)


def _in_store(path: Path, arena: Path) -> bool:
    """Whether a file belongs to a store, whose state is told by its index; but what is unfinished in it counts."""
    place = path.relative_to(arena)
    if unfinished(place.as_posix()):
        return False
    return path.name in _STORE_FILES or "blobs" in place.parts


def _of_store(root: Path, place: str) -> View:
    """Tags and revisions, and what is attached to each: in whichever of the two forms the index has it."""
    try:
        store = Store.open(root)
        names = {name: entry.digest for name, entry in store.tags().items() if not name.startswith("sha256-")}
        found = {f"{place}#tag {name}": digest for name, digest in names.items()}
        for entry in store.entries():
            if store.artifact_type(entry) == REVISION_TYPE:
                found[f"{place}#revision {entry.digest}"] = "there"
                attached = sorted(each.digest for each in store.referrers(entry.digest))
                found[f"{place}{ATTACHED}{entry.digest}"] = " ".join(attached)
        return found
    except PyContainerError as problem:
        return {f"{place}#": f"unreadable: {problem.what}"}


def _content(path: Path, place: str, before: View) -> str:
    if "keys/" not in place or path.is_symlink():
        return _digest(path)
    data = path.read_bytes()
    same = hashlib.sha256(data).hexdigest()
    if before.get(place) == same or not before or unfinished(place):
        return same
    try:
        if place.endswith(".key.pem"):
            PrivateKey.load(path, None)
            return "a private key"
        value = json.loads(data)
        if place.endswith(".pub.json"):
            private = path.with_name(path.name.replace(".pub.json", ".key.pem"))
            fits = PrivateKey.load(private, None).public.keyid == value["keyid"]
            whose = "of its private one" if fits else "OF ANOTHER"
            return f"a public key {value.get('role')} {value.get('retired')} {whose}"
        return f"JSON of {sorted(value)}"
    except (ValueError, OSError, KeyError, PyContainerError) as problem:
        return f"DAMAGED: {problem}"


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
