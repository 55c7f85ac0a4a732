# SPDX-License-Identifier: MIT
"""The cuts of one recorded scenario: all of them checked fast, a sample by e2fsck too."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from orchestrator.run import Tools
from tests.powercut import failure, jbd2
from tests.powercut.check import Subject, Verdict, check, check_disk
from tests.powercut.cuts import Cut, generate
from tests.powercut.disk import BLOCK, restore
from tests.powercut.expect import promise_at
from tests.powercut.ext4 import Ext4
from tests.powercut.failure import Failure
from tests.powercut.fsck import check_storage, write_image
from tests.powercut.partitions import gpt


@dataclass
class Result:
    """What became of a scenario's cuts; seconds are of all checks together, of the boots apart."""

    scenario: str
    seed: int
    cuts: int = 0
    doubts: int = 0
    fscks: int = 0
    boots: int = 0
    seconds: float = 0.0
    boot_seconds: float = 0.0
    chosen: dict[str, int] = field(default_factory=dict)
    replayed: int = 0
    failures: list[Failure] = field(default_factory=list)
    booted: list[int] = field(default_factory=list)
    """The numbers of the sampled starts that are done."""

    @property
    def mean_ms(self) -> float:
        return self.seconds * 1000 / max(self.cuts, 1)

    def add(self, other: Result) -> None:
        """Take in the cuts of another one."""
        self.cuts += other.cuts
        self.doubts += other.doubts
        self.fscks += other.fscks
        self.seconds += other.seconds
        self.replayed += other.replayed
        self.failures += other.failures


@dataclass(frozen=True)
class Plan:
    """How much is done: cuts and e2fsck samples of a scenario, a folder in memory for images, BitBake's tools."""

    cuts: int
    fscks: int
    seed: int
    scratch: Path
    tools: Tools | None = None


def run_cuts(
    subject: Subject, plan: Plan, show: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Result, list[Cut]]:
    """Check the cuts of a scenario; returns what was found, and the cuts."""
    result = Result(subject.recording.scenario, plan.seed)
    cuts = generate(subject.entries, 0, len(subject.entries), plan.seed, plan.cuts)
    sampled = set(Random(plan.seed).sample(range(len(cuts)), min(plan.fscks, len(cuts))))
    begun = time.monotonic()
    for number, cut in enumerate(cuts):
        verdict = check(subject, cut)
        result.cuts += 1
        result.chosen[verdict.chosen] = result.chosen.get(verdict.chosen, 0) + 1
        result.replayed += verdict.replayed > 0
        _judge(subject, cut, verdict, plan, result, sample=number in sampled)
        show(number + 1, len(cuts))
    result.seconds = time.monotonic() - begun
    return result, cuts


def _judge(subject: Subject, cut: Cut, verdict: Verdict, plan: Plan, result: Result, *, sample: bool) -> None:
    def failed(how: str, lost: str) -> None:
        recording = subject.recording
        result.failures.append(failure.of(recording.scenario, recording.log_sha256, plan.seed, cut, how, lost))

    result.doubts += bool(verdict.doubt)
    if verdict.lost and not verdict.doubt:
        failed("check", verdict.lost)
    elif verdict.doubt or sample:
        result.fscks += 1
        if lost := second_opinion(subject, cut, plan):
            failed("e2fsck", lost)


def second_opinion(subject: Subject, cut: Cut, plan: Plan) -> str:
    """Let e2fsck recover the disk after a cut, and check what it leaves; returns what is lost."""
    image = plan.scratch / "fsck.img"
    before = subject.put(cut)
    try:
        _, storage = gpt(subject.disk)
        first, end = storage.start // BLOCK, (storage.start + storage.size) // BLOCK
        write_image(subject.disk[first:end], image)
        if lost := check_storage(image, plan.tools):
            return lost
        ours, subject.disk = subject.disk, list(subject.disk)
        try:
            subject.disk[first:end] = subject.blocks.load(image)
            if jbd2.recover(Ext4(subject.disk, storage, strict=True)).transactions:
                return "e2fsck left a journal that wants recovery"
            return check_disk(subject, promise_at(subject.promises, cut.at)).lost
        finally:
            subject.disk = ours
    finally:
        restore(subject.disk, before)
        image.unlink(missing_ok=True)
