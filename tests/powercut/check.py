# SPDX-License-Identifier: MIT
"""The fast check of a disk after a cut: it starts, whole, as the old or the new, and has all that was promised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.powercut import grub, jbd2
from tests.powercut.cuts import Cut
from tests.powercut.disk import BLOCK, Blocks, apply, content_digest, patches, restore
from tests.powercut.expect import Content, Promise, contents, promise_at, promises, records
from tests.powercut.ext4 import Ext4, Inode
from tests.powercut.partitions import Span, Unreadable, gpt
from tests.powercut.recording import BLOBS, LOG, Recording, RevisionFacts, load
from tests.powercut.writelog import Entry, read

NOTES, IDENTITY = "state/notes", "state/identity"


@dataclass(frozen=True)
class Verdict:
    """What the check found: `lost` is empty when all is well; `doubt` says why only a real e2fsck can tell."""

    lost: str
    chosen: str = ""
    doubt: str = ""
    replayed: int = 0


class Subject:
    """A recorded scenario in memory, and its disk as it is on the medium before entry `since`."""

    def __init__(
        self,
        recording: Recording,
        entries: list[Entry],
        base: list[bytes],
        known: dict[str, Content],
        blocks: Blocks,
    ) -> None:
        self.recording, self.entries, self.base = recording, entries, base
        self.contents, self.blocks = known, blocks
        self.promises = promises(recording.marks, entries)
        self.names = {facts.id: name for name, facts in recording.revisions.items()}
        self.disk = list(base)
        self.since = 0
        self._choices: dict[tuple[bytes, ...], grub.Choice | str] = {}

    @classmethod
    def open(cls, folder: Path) -> Subject:
        """Read a recording from its folder; raises ValueError when its parts do not belong together."""
        recording, blocks = load(folder), Blocks()
        base = blocks.load(folder.parent / recording.base)
        if content_digest(base) != recording.base_digest:
            raise ValueError(f"{folder}: {recording.base} is not the image that this recording began with")
        return cls(
            recording,
            read(folder / LOG, recording.disk_size),
            base,
            contents(list(recording.revisions.values()), folder.parent / BLOBS, blocks),
            blocks,
        )

    def go_to(self, since: int) -> None:
        """Let the medium have all before entry `since`; going back begins anew."""
        if since < self.since:
            self.disk[:] = self.base
            self.since = 0
        for entry in self.entries[self.since : since]:
            apply(self.disk, self.blocks, patches(entry.offset, entry.data))
        self.since = since

    def put(self, cut: Cut) -> dict[int, bytes]:
        """Make the disk the one after a cut; returns what `restore` wants."""
        self.go_to(cut.since)
        return apply(self.disk, self.blocks, cut.patches(self.entries))

    def choice(self, esp: Span) -> grub.Choice:
        """The boot loader's choice, remembered by the bytes of the whole partition."""
        key = tuple(self.disk[esp.start // BLOCK : (esp.start + esp.size) // BLOCK])
        found = self._choices.get(key)
        if found is None:
            try:
                found = grub.choose(self.disk, esp)
            except Unreadable as problem:
                found = str(problem)
            self._choices[key] = found
        if isinstance(found, str):
            raise Unreadable(found)
        return found


def check(subject: Subject, cut: Cut) -> Verdict:
    """Check the disk after a cut; the subject is afterwards as it was."""
    before = subject.put(cut)
    try:
        return check_disk(subject, promise_at(subject.promises, cut.at))
    finally:
        restore(subject.disk, before)


def check_disk(subject: Subject, promise: Promise) -> Verdict:
    """Check the subject's disk as it is now."""
    chosen, doubt = "", ""
    try:
        esp, storage = gpt(subject.disk)
        choice = subject.choice(esp)
        chosen = subject.names.get(choice.first, choice.first)
        started = _started(subject, choice, promise)
        raw = Ext4(subject.disk, storage, strict=False)
        for revision in started:
            grub.check_loadable(raw, revision, subject.contents)
        if not raw.superblock_is_sound:
            doubt = "the superblock's checksum is wrong before recovery"
        replay = jbd2.recover(raw)
        doubt = doubt or replay.doubt
        origin = storage.start // BLOCK
        before = apply(
            subject.disk, subject.blocks, ((origin + number, 0, data) for number, data in replay.blocks.items())
        )
        try:
            _check_recovered(subject, storage, started, promise)
        finally:
            restore(subject.disk, before)
    except Unreadable as problem:
        return Verdict(str(problem), chosen, doubt)
    return Verdict("", chosen, doubt, replay.transactions)


def _started(subject: Subject, choice: grub.Choice, promise: Promise) -> list[RevisionFacts]:
    """The revisions that this start may come to, each of which must be one that is allowed now."""
    found = []
    for revision in dict.fromkeys((choice.first, choice.confirmed)):
        name = subject.names.get(revision, revision)
        if name not in promise.choose:
            raise Unreadable(f"the boot record names {name}, and only {', '.join(sorted(promise.choose))} may be")
        found.append(subject.recording.revisions[name])
    loaders = {subject.recording.revisions[name].loader for name in subject.recording.revisions}
    if choice.loader not in loaders:
        raise Unreadable("the boot loader on the ESP is none of those of the revisions")
    return found


def _check_recovered(subject: Subject, storage: Span, started: Sequence[RevisionFacts], promise: Promise) -> None:
    fs = Ext4(subject.disk, storage, strict=True)
    whole = {revision.id: revision for revision in started}
    whole |= {subject.recording.revisions[name].id: subject.recording.revisions[name] for name in promise.whole}
    for revision in whole.values():
        check_whole(fs, revision, subject.contents)
    for path, count in promise.prefix:
        inode = fs.find(path)
        wanted = records(count)
        if inode is None or fs.read(inode)[: len(wanted)] != wanted:
            raise Unreadable(f"{path} lacks some of the {count} records that were acknowledged")
    _check_state(fs, promise.settled)


def check_whole(fs: Ext4, revision: RevisionFacts, known: Mapping[str, Content]) -> None:
    """Raise Unreadable unless the kernel finds a whole revision: links, all blobs, and true seals on those sealed."""
    folder = fs.find("blobs/sha256")
    names = {} if folder is None else fs.entries(folder)
    for name, digest in revision.links.items():
        path, inode = grub.resolve(fs, f"revisions/{revision.id}/{name}")
        if inode.number != names.get(digest):
            raise Unreadable(f"{name} of revision {revision.id[:12]} is {path}, and not its blob")
    for blob in revision.blobs:
        what = f"blob {blob.digest[:12]} of revision {revision.id[:12]}"
        if blob.digest not in names:
            raise Unreadable(f"{what} is missing")
        inode = fs.inode(names[blob.digest])
        content = known[blob.digest]
        if not grub.holds(fs, inode, content):
            raise Unreadable(f"{what} has other bytes")
        if inode.is_sealed and not _sealed_right(fs, inode, content):
            raise Unreadable(f"{what} is sealed, and its Merkle tree is another one")


def _sealed_right(fs: Ext4, inode: Inode, content: Content) -> bool:
    return fs.blocks_of(inode, content.tree_at, len(content.tree)) == content.tree


def _check_state(fs: Ext4, settled: bool) -> None:
    """The device's notes, of which one copy must be valid once there are any, and its key."""
    notes = fs.find(NOTES)
    if notes is not None:
        copies = fs.read(notes)
        if len(copies) != 2 * BLOCK or not any(map(_is_note, (copies[:BLOCK], copies[BLOCK:]))):
            raise Unreadable(f"{NOTES}: neither copy is valid")
    elif settled:
        raise Unreadable(f"{NOTES} is gone")
    identity = fs.find(IDENTITY)
    if identity is None and settled:
        raise Unreadable(f"{IDENTITY} is gone")
    if identity is not None and not any(fs.read(identity)):
        raise Unreadable(f"{IDENTITY} is empty")


def _is_note(copy: bytes) -> bool:
    digest, _, line = copy.partition(b"\n")[0].partition(b" ")
    if hashlib.sha256(line).hexdigest().encode() != digest:
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
