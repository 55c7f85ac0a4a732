# SPDX-License-Identifier: MIT
"""Positive controls: the writes of a real recording, put in the order of designs that lose updates.

A rig that finds nothing in them is blind. Each takes the entries of a recording in which a revision was installed and
confirmed, and returns those that a device of that design would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from tests.powercut.check import Subject
from tests.powercut.partitions import gpt
from tests.powercut.recording import Mark
from tests.powercut.writelog import SECTOR, Entry

_RECORD = b"# GRUB Environment Block\n"
Design = Callable[[Subject], list[Entry]]


def _is_record(entry: Entry) -> bool:
    return entry.data.startswith(_RECORD)


def _last_record(entries: Sequence[Entry]) -> int:
    return max(number for number, entry in enumerate(entries) if _is_record(entry))


def in_place_without_checksum(subject: Subject) -> list[Entry]:
    """A state file that is rewritten where it lies, and has one meaning only once it is whole again.

    Before each write of the record's bytes, both copies are emptied: as opening a file for writing does it.
    """
    found: list[Entry] = []
    places = {entry.offset for entry in subject.entries if _is_record(entry)}
    for entry in subject.entries:
        if _is_record(entry):
            empty = [Entry(place, bytes(SECTOR), flush=False, fua=False, end=entry.end) for place in sorted(places)]
            found += [*empty, Entry(0, b"", flush=True, fua=False, end=entry.end)]
        found.append(entry)
    return found


def done_before_commit(subject: Subject) -> list[Entry]:
    """The last change of the boot record, which says that the new revision is there, comes before all of that."""
    entries = subject.entries
    last = _last_record(entries)
    _, storage = gpt(subject.base)
    first = next(number for number, entry in enumerate(entries) if entry.offset >= storage.start and entry.data)
    before = entries[first].end
    moved = [replace(entries[last], end=before), Entry(0, b"", flush=True, fua=False, end=before)]
    return [*entries[:first], *moved, *entries[first:last], *entries[last + 1 :]]


def without_flushes(subject: Subject) -> list[Entry]:
    """A device that asks for no flush of its storage: all that it wrote may come in any order."""
    last = _last_record(subject.entries)
    return [entry for number, entry in enumerate(subject.entries) if not entry.flush or number > last]


DESIGNS: dict[str, Design] = {
    "control: state in place, no checksum": in_place_without_checksum,
    "control: done before commit": done_before_commit,
    "control: no flushes": without_flushes,
}


def as_subject(subject: Subject, design: Design) -> Subject:
    """The recording as a device of another design would have made it.

    Either revision may be chosen at any time, so that only what is not whole is found.
    """
    marks = [Mark("control", 0, choose=subject.recording.good, whole=[])]
    recording = msgspec.structs.replace(subject.recording, marks=marks)
    return Subject(recording, design(subject), subject.base, subject.contents, subject.blocks)
