# SPDX-License-Identifier: MIT
"""Which revision comes from which: a revision's configuration names its parents; what is not here ends the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orchestrator.errors import VerificationError
from orchestrator.oci import Manifest, decode_manifest
from orchestrator.oci.layout import Layout
from orchestrator.revision import RevisionConfig
from orchestrator.revision.model import CONFIG_LIMIT, CONFIG_TYPE

Parents = Callable[[str], list[str] | None]
"""Gives the parents of a revision, or None when it is not known."""

_MOST = 1_000_000


def parents_in(layout: Layout) -> Parents:
    """Return what looks up parents in a store or bundle."""

    def parents(digest: str) -> list[str] | None:
        if not layout.has_blob(digest):
            return None
        try:
            manifest = decode_manifest(layout.read_blob(digest), f"revision {digest[:19]}")
            return parents_of(manifest, layout.read_blob(manifest.config.digest, limit=CONFIG_LIMIT))
        except VerificationError:
            return None  # fsck says what is wrong with it

    return parents


def parents_of(manifest: Manifest, config: bytes) -> list[str]:
    """Return the parents that a revision's configuration names; raises VerificationError for what is no revision."""
    if manifest.config.media_type != CONFIG_TYPE:
        raise VerificationError("a parent is no revision", f"its configuration is {manifest.config.media_type}")
    return list(RevisionConfig.from_bytes(config).parents)


def walk(start: str, parents: Parents, stop: Callable[[str], bool] = lambda digest: False) -> Iterator[str]:
    """Yield a revision and those it comes from, each once and before its parents; not those where `stop` is true.

    What is not known is yielded too, and not looked behind.
    """
    seen = {start}
    waiting = [start]
    while waiting:
        digest = waiting.pop(0)
        if stop(digest):
            continue
        yield digest
        for parent in parents(digest) or []:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
        if len(seen) > _MOST:
            raise VerificationError("the history has no end", f"more than {_MOST} revisions were found")


def known(parents: Parents, starts: Iterable[str]) -> set[str]:
    """Return those of `starts`, and of what they come from, that are known."""
    seen = set(starts)
    waiting = list(seen)
    found: set[str] = set()
    while waiting:
        digest = waiting.pop()
        before = parents(digest)
        if before is None:
            continue
        found.add(digest)
        waiting += [parent for parent in before if parent not in seen]
        seen.update(before)
    return found


def closed(parents: Parents, here: Iterable[str]) -> set[str]:
    """Return those of `here` all of whose ancestors are in it, too."""
    found = set(here)
    children: dict[str, list[str]] = {}
    open_ended: list[str] = []
    for digest in found:
        before = parents(digest)
        for parent in before or []:
            children.setdefault(parent, []).append(digest)
        if before is None or not found.issuperset(before):
            open_ended.append(digest)
    while open_ended:
        digest = open_ended.pop()
        if digest in found:
            found.remove(digest)
            open_ended += children.get(digest, [])
    return found


def comes_from(descendant: str, ancestor: str, parents: Parents) -> bool:
    """Whether `ancestor` is `descendant` or one that it comes from, as far as is known."""
    return any(digest == ancestor for digest in walk(descendant, parents))


def count_between(new: str, old: str | None, parents: Parents) -> int:
    """Return how many revisions `new` has, itself included, that `old` does not come from."""
    behind = set(walk(old, parents)) if old else set()
    return sum(1 for digest in walk(new, parents, lambda digest: digest in behind) if parents(digest) is not None)
