# SPDX-License-Identifier: MIT
"""A cut after which something was lost, as a small file: of which recording, which cut, and what was wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from tests.powercut.cuts import Cut


class Failure(msgspec.Struct, frozen=True):
    """`log_sha256` is the log's; `how` is check, e2fsck or boot."""

    scenario: str
    log_sha256: str
    seed: int
    since: int
    at: int
    kept: list[int]
    torn: list[tuple[int, int, int]]
    how: str
    lost: str

    @property
    def cut(self) -> Cut:
        return Cut(self.since, self.at, tuple(self.kept), tuple(self.torn))


def of(scenario: str, log_sha256: str, seed: int, cut: Cut, how: str, lost: str) -> Failure:
    return Failure(scenario, log_sha256, seed, cut.since, cut.at, list(cut.kept), list(cut.torn), how, lost)


def save(failure: Failure, folder: Path) -> Path:
    """Write it under a name that tells its place; returns that."""
    folder.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.encode(failure) + b"\n"
    path = folder / f"{failure.scenario}-{failure.since}-{hashlib.sha256(data).hexdigest()[:8]}.json"
    path.write_bytes(data)
    return path


def load(path: Path) -> Failure:
    return msgspec.json.decode(path.read_bytes(), type=Failure)
