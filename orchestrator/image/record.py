# SPDX-License-Identifier: MIT
"""The boot record: which revision GRUB boots, and which it tries. Pure functions; the device's C code mirrors them.

Two copies lie on the EFI system partition as `pycontainer/record.0` and `record.1`, each a GRUB environment block of
1024 bytes whose variables end within the first 512, the unit that disks write whole. GRUB has no checksum, so the
variable `ok` repeats the others, and a record in which it does not match counts as absent. Of two valid records the one
with the higher generation wins; of equal generations the one with fewer tries left, because GRUB counts down without
being able to add, and an attempt once counted must stay counted.

To change the record, write generation + 1 over the losing copy in place (pwrite, fsync; never truncate, never rename),
then over the other one too. The first write is the moment of the change; the second restores the redundancy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.revision import bootenv

ATOMIC = 512
MAX_GENERATION = 999_999_999
"""GRUB compares in the firmware's word size and prefixes octal by a zero: nine digits, no leading zero."""

_OK = re.compile(r"([1-9][0-9]{0,8}):([0-9a-f]{64}):(?:([0-9a-f]{64}):([0-3])|:0)", re.ASCII)


@dataclass(frozen=True)
class Record:
    """One boot record: `rev` is the confirmed revision (64 hex digits), `attempt` the tried one or empty.

    `left` is how many attempts GRUB may still start, 0 when nothing is tried.
    """

    generation: int
    rev: str
    attempt: str = ""
    left: int = 0

    def __post_init__(self) -> None:
        if not _OK.fullmatch(self.ok):
            raise ValueError(f"not a boot record: {self.ok}")

    @property
    def ok(self) -> str:
        """The redundant copy of all variables."""
        return f"{self.generation}:{self.rev}:{self.attempt}:{self.left}"


def encode(record: Record) -> bytes:
    """Return the 1024 bytes of a boot record, `ok` last: torn at any byte, it vouches for what is before it."""
    return bootenv.encode(
        {
            "gen": str(record.generation),
            "rev": record.rev,
            "try": record.attempt,
            "left": str(record.left),
            "ok": record.ok,
        },
        within=ATOMIC,
    )


def decode(data: bytes) -> Record | None:
    """Return the record in `data`, or None when it is torn, garbage, or not of the right form."""
    variables = bootenv.decode(data)
    if variables is None:
        return None
    ok = variables.get("ok", "")
    match = _OK.fullmatch(ok)
    if match is None or ok != ":".join(variables.get(name, "") for name in ("gen", "rev", "try", "left")):
        return None
    return Record(int(match[1]), match[2], match[3] or "", int(match[4] or 0))


def choose(records: tuple[Record | None, Record | None]) -> int | None:
    """Return which of the two records counts, 0 or 1, or None when neither does."""
    first, second = records
    if first is None or second is None:
        return 0 if first is not None else 1 if second is not None else None
    if first.generation != second.generation:
        return 0 if first.generation > second.generation else 1
    return 1 if second.left < first.left else 0


def next_boot(record: Record) -> tuple[str, Record]:
    """Return what GRUB boots by this record, and the record that it writes over both copies before that."""
    if not record.attempt:
        return record.rev, record
    if record.left == 0:
        return record.rev, Record(record.generation, record.rev)
    return record.attempt, Record(record.generation, record.rev, record.attempt, record.left - 1)
