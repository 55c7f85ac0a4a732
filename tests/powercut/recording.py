# SPDX-License-Identifier: MIT
"""A recorded scenario on disk: the image it began with, all that was written, and what the device promised when.

<folder>/recording.json   this module's `Recording`
<folder>/writes.log       the log of the disk, see `writelog`
<folder>/../<base>        the image at the beginning
<folder>/../blobs/<hex>   the content of all blobs of the revisions
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

LOG, NAME, BLOBS = "writes.log", "recording.json", "blobs"


class Blob(msgspec.Struct, frozen=True):
    """A blob of a revision: its digest (hex), and its fs-verity digest (hex) when it is one that the device seals."""

    digest: str
    size: int
    verity: str = ""


class RevisionFacts(msgspec.Struct, frozen=True):
    """What must be there of a revision: all its blobs, and the names in its folder that lead to some of them."""

    id: str
    blobs: list[Blob]
    links: dict[str, str]
    loader: str = ""
    """The digest (hex) of the boot loader that its confirmation puts on the ESP."""


class Mark(msgspec.Struct, frozen=True):
    """What holds for a cut from here on: `end` is how long the log was then, in bytes.

    `choose` are the names of the revisions that the boot loader may start or fall back to; `whole` those that must be
    there. `prefix` maps files of storage to the number of records that an app was told are kept. `settled`: the device
    has its own key, and must keep it. None leaves what was before.
    """

    name: str
    end: int
    choose: list[str] | None = None
    whole: list[str] | None = None
    prefix: dict[str, int] = {}
    settled: bool | None = None


class Recording(msgspec.Struct, frozen=True):
    """A scenario as it was run once; `log_sha256` ties the cuts of a failure to this very log, and
    `base_digest` (of `disk.content_digest`) the log to the image that it begins with.

    `good` are the names of the revisions that can be updated to.
    """

    scenario: str
    base: str
    base_digest: str
    disk_size: int
    log_sha256: str
    revisions: dict[str, RevisionFacts]
    good: list[str]
    marks: list[Mark]


def record_line(number: int) -> bytes:
    """The record of that number, as the app of the scenarios writes it."""
    return b"record %06d of those that are acknowledged once they are synced\n" % number


def save(recording: Recording, folder: Path) -> None:
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n")


def load(folder: Path) -> Recording:
    """Read a recording, whose log must be its own; raises ValueError."""
    found = msgspec.json.decode((folder / NAME).read_bytes(), type=Recording)
    if hash_file(folder / LOG) != found.log_sha256:
        raise ValueError(f"{folder / LOG} is not the log of this recording")
    return found


def hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
