# SPDX-License-Identifier: MIT
"""`index.json` of an OCI image layout: the entry points, read strictly, changed in one step under a lock."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.blobs import Blobs
from orchestrator.oci.descriptor import INDEX_TYPE, REF_NAME, Descriptor
from orchestrator.oci.files import Files, exclusive_lock, explained

_LIMIT = 64 * 1024 * 1024
_LOCK_TIMEOUT = 30.0
_NAME = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@/+]|--)[A-Za-z0-9]+)*\Z")
"""The grammar of org.opencontainers.image.ref.name (image-spec annotations.md)."""

_FOREIGN = re.compile(r"(?!sha256:)[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+\Z")
"""A digest of another algorithm than SHA-256 (image-spec descriptor.md, digests)."""

RawEntry = dict[str, Any]
Change = Callable[[list[RawEntry]], list[RawEntry]]


class IndexReader(ABC):
    """The entries of an index; `path` is what messages call it."""

    path: Path

    @abstractmethod
    def _load(self) -> dict[str, Any]:
        """Return the index as plain values, checked by `_decode`."""

    def entries(self) -> list[Descriptor]:
        """Return the entries in the file's order; those with other digest algorithms than SHA-256 are left out."""
        return [entry for raw in self._load()["manifests"] if (entry := descriptor_of(raw)) is not None]

    def unknown(self) -> list[str]:
        """Return the digests of entries that we cannot check (another algorithm, or no descriptor at all)."""
        return [str(raw.get("digest", "?"))[:140] for raw in self._load()["manifests"] if descriptor_of(raw) is None]

    def malformed(self) -> list[str]:
        """Return those of `unknown` that are nobody's descriptor: no tool writes them, so the index is damaged."""
        return [digest for digest in self.unknown() if not _FOREIGN.match(digest)]

    def tags(self) -> dict[str, Descriptor]:
        """Return the tags, sorted; raises VerificationError when one name stands for two manifests."""
        found: dict[str, Descriptor] = {}
        for entry in self.entries():
            name = entry.annotations.get(REF_NAME)
            if name is None:
                continue
            if name in found and found[name].digest != entry.digest:
                raise VerificationError(
                    f"the tag {name!r} stands for two manifests",
                    f"{found[name].digest} and {entry.digest} in {self.path}",
                    "tag the right one again",
                )
            found[name] = entry
        return dict(sorted(found.items()))


class FixedIndex(IndexReader):
    """An index that was read once, out of a tar for instance; raises VerificationError when it is none."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.path = path
        self._value = _decode(data, path)

    def _load(self) -> dict[str, Any]:
        return self._value


class Index(IndexReader):
    """Reads and changes `index.json`.

    Entries of other tools, and members that we do not know, stay as they are: a change touches its own entries only.
    """

    def __init__(self, root: Path, blobs: Blobs, files: Files) -> None:
        self.path = root / "index.json"
        self._lock_path = root / ".lock"
        self._blobs = blobs
        self._files = files
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._cached: tuple[tuple[int, int, int], dict[str, Any]] | None = None
        self._pending: dict[str, Any] | None = None
        self._decoded: tuple[dict[str, Any], list[Descriptor]] | None = None
        self._descriptors: dict[int, tuple[RawEntry, Descriptor | None]] = {}
        self._tags: tuple[dict[str, Any], dict[str, Descriptor]] | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer out; may be nested. Raises TryAgainError when another holds the lock for long."""
        with self._thread_lock, contextlib.ExitStack() as stack:
            if self._depth == 0:
                stack.enter_context(exclusive_lock(self._lock_path, timeout=_LOCK_TIMEOUT))
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Keep every other writer out, and write all changes of the block in one step at its end; may be nested.

        They are seen by whoever reads through this object at once, by all others at the end, and by nobody when an
        error leaves the block.
        """
        with self.locked():
            if self._pending is not None:
                yield
                return
            before = self._load()
            self._pending = before
            try:
                yield
                after = self._pending
            finally:
                self._pending = None
            if after is not before:
                self.write(after)

    def entries(self) -> list[Descriptor]:
        """Return the entries in the file's order; those with other digest algorithms than SHA-256 are left out."""
        value = self._load()
        if self._decoded is None or self._decoded[0] is not value:
            # A change leaves most entries as they are: the very same objects.
            known = self._descriptors
            pairs = {
                id(raw): known[id(raw)] if id(raw) in known and known[id(raw)][0] is raw else (raw, descriptor_of(raw))
                for raw in value["manifests"]
            }
            self._descriptors = pairs
            self._decoded = (value, [entry for _, entry in pairs.values() if entry is not None])
        return list(self._decoded[1])

    def tags(self) -> dict[str, Descriptor]:
        """Return the tags, sorted; raises VerificationError when one name stands for two manifests."""
        value = self._load()
        if self._tags is None or self._tags[0] is not value:
            self._tags = (value, super().tags())
        return dict(self._tags[1])

    def _load(self) -> dict[str, Any]:
        # Whoever only reads must not see what another thread has not finished: the lock is this thread's, or free.
        if self._pending is not None:
            with self._thread_lock:
                if self._pending is not None:
                    return self._pending
        try:
            with self.path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                key = (status.st_ino, status.st_mtime_ns, status.st_size)
                if self._cached is not None and self._cached[0] == key:
                    return self._cached[1]
                data = stream.read(_LIMIT + 1)
        except OSError as problem:
            raise VerificationError(f"{self.path} cannot be read", str(problem), _HINT) from problem
        value = _decode(data, self.path)
        self._cached = (key, value)
        return value

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Let `name` stand for a manifest, in place of what it stood for; raises ConfigError for a name out of form."""
        if len(name) > 128 or not _NAME.match(name):
            raise ConfigError(
                f"not a tag: {name!r}",
                "letters and digits, joined by single - . _ : @ / or +, 128 characters at most",
                "choose another name",
            )

        def change(entries: list[RawEntry]) -> list[RawEntry]:
            kept = [raw for raw in entries if _name(raw) != name]
            for position, raw in enumerate(kept):
                if raw.get("digest") == descriptor.digest and _name(raw) is None:
                    kept[position] = {**raw, "annotations": {**raw.get("annotations", {}), REF_NAME: name}}
                    return kept
            return [*kept, _raw(descriptor, {REF_NAME: name})]

        self.update(change)

    def add(self, descriptor: Descriptor, *, instead_of: frozenset[str] = frozenset()) -> None:
        """Make sure that a manifest has an entry, taking away the untagged entries of the digests in `instead_of`."""

        def change(entries: list[RawEntry]) -> list[RawEntry]:
            gone = instead_of - {descriptor.digest}
            kept = [raw for raw in entries if not (raw.get("digest") in gone and _name(raw) is None)]
            if any(raw.get("digest") == descriptor.digest for raw in kept):
                return kept
            return [*kept, _raw(descriptor, {})]

        self.update(change)

    def drop(self, digests: Collection[str]) -> None:
        """Take away the untagged entries of these digests."""
        self.update(lambda entries: [raw for raw in entries if not (raw.get("digest") in digests and not _name(raw))])

    def untag(self, name: str, *, keep: bool) -> None:
        """Take a tag away; with `keep` what it stood for stays in the index, without a name."""

        def change(entries: list[RawEntry]) -> list[RawEntry]:
            gone = [raw for raw in entries if _name(raw) == name]
            rest = [raw for raw in entries if _name(raw) != name]
            for raw in gone if keep else ():
                if not any(other.get("digest") == raw.get("digest") for other in rest):
                    rest.append(_unnamed(raw))
            return rest

        self.update(change)

    def update(self, change: Change) -> None:
        """Replace the list of entries by `change` of it, under the lock; writes nothing when they are equal.

        `change` returns a list of the same or of new entries, and leaves those that it got as they are.
        """
        with self.locked():
            value = self._load()
            entries = change(list(value["manifests"]))
            if entries != value["manifests"]:
                self.write({**value, "manifests": entries})

    def write(self, value: dict[str, Any]) -> None:
        """Put a whole new index in place of the old in one step (within `together`: at its end)."""
        if self._pending is not None:
            self._pending = value
            return
        data = canonical_json(value)
        if len(data) > _LIMIT:
            raise ConfigError(
                f"{self.path} would become too large",
                f"{len(data)} bytes",
                "move the store away and build again; it is made anew",
            )
        with explained("change the index of the store", self.path), self._blobs.temporary_file() as (descriptor, path):
            self._files.write(descriptor, data)
            self._files.seal(descriptor, 0o644)
            self._files.sync(descriptor)
            self._files.rename(path, self.path)
            self._files.sync_folder(self.path.parent)


EMPTY_INDEX: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
_HINT = "restore it from a copy of the store, or remove the folder and build again"


def _decode(data: bytes, path: Path) -> dict[str, Any]:
    if len(data) > _LIMIT:
        raise VerificationError(f"{path} is too large", f"the limit is {_LIMIT} bytes", _HINT)
    try:
        value = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise VerificationError(f"{path} is damaged", str(problem), _HINT) from problem
    manifests = value.get("manifests")
    if value.get("schemaVersion") != 2 or not isinstance(manifests, list):
        raise VerificationError(f"{path} is not an OCI image index", "schemaVersion 2 and manifests are missing", _HINT)
    if not all(isinstance(raw, dict) and isinstance(raw.get("annotations", {}), dict) for raw in manifests):
        raise VerificationError(f"{path} is damaged", "an entry is not a descriptor", _HINT)
    return value


def descriptor_of(raw: RawEntry) -> Descriptor | None:
    """Return an entry as a typed value, or None when it is none that we can check."""
    try:
        return msgspec.convert(raw, Descriptor)
    except msgspec.ValidationError:
        return None


def _unnamed(raw: RawEntry) -> RawEntry:
    notes = {key: value for key, value in raw.get("annotations", {}).items() if key != REF_NAME}
    plain = {key: value for key, value in raw.items() if key != "annotations"}
    return {**plain, "annotations": notes} if notes else plain


def _name(raw: RawEntry) -> Any:
    return raw.get("annotations", {}).get(REF_NAME)


def _raw(descriptor: Descriptor, annotations: dict[str, str]) -> RawEntry:
    value: RawEntry = msgspec.to_builtins(descriptor)
    merged = {**descriptor.annotations, **annotations}
    return {**value, "annotations": merged} if merged else value
