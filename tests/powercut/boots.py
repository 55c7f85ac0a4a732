# SPDX-License-Identifier: MIT
"""Real starts of disks after a cut: to the healthy state, twice; then the update that was cut is made again.

The first start is recorded as well, and its writes are cut in their turn: a second power cut during the recovery.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec

from tests.integration.updates.devices import Device
from tests.integration.updates.products import Made
from tests.powercut.campaign import Plan, Result, run_cuts
from tests.powercut.check import Subject
from tests.powercut.cuts import Cut
from tests.powercut.disk import content_digest, restore
from tests.powercut.expect import Promise, promise_at
from tests.powercut.failure import of
from tests.powercut.fsck import write_image
from tests.powercut.recording import LOG, Mark, hash_file, save
from tests.powercut.rig import LIMIT, Workshop
from tests.powercut.writelog import read

RECOVERY_LOG = "recovery.log"


def run_boots(
    workshop: Workshop, subject: Subject, cuts: Sequence[Cut], plan: Plan, count: int, result: Result
) -> Result:
    """Start a sample of the disks; adds to `result`, and returns what cutting the recoveries came to.

    A recovery in which something is lost is kept as a recording of its own.
    """
    recoveries = Result(f"{subject.recording.scenario}, recovery", plan.seed)
    shorter = replace(plan, cuts=max(plan.cuts // 10, 50), fscks=1)
    sample = sorted(Random(plan.seed).sample(list(cuts), min(count, len(cuts))))
    for number, cut in enumerate(sample):
        begun = time.monotonic()
        try:
            recovery = _boot(workshop, subject, cut, plan, number)
            result.boots += 2
        except Exception as problem:  # whatever goes wrong with a device is what is looked for
            lost = f"{type(problem).__name__}: {problem}"[:2000]
            recording = subject.recording
            result.failures.append(of(recording.scenario, recording.log_sha256, plan.seed, cut, "boot", lost))
            continue
        finally:
            result.boot_seconds += time.monotonic() - begun
        found, _ = run_cuts(recovery, shorter)
        recoveries.add(found)
        if found.failures:
            _keep(workshop, recovery, plan)
    return recoveries


def _keep(workshop: Workshop, recovery: Subject, plan: Plan) -> None:
    """Put a recovery beside the recordings, so that its cuts can be replayed."""
    folder = workshop.recordings / recovery.recording.scenario
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_image(recovery.base, workshop.recordings / recovery.recording.base)
    shutil.copyfile(plan.scratch / "boot" / RECOVERY_LOG, folder / LOG)
    save(recovery.recording, folder)


def _boot(workshop: Workshop, subject: Subject, cut: Cut, plan: Plan, number: int) -> Subject:
    """Start the disk after a cut twice and update it; returns the first start as a subject of its own."""
    work = plan.scratch / "boot"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    promise = promise_at(subject.promises, cut.at)
    before = subject.put(cut)
    try:
        write_image(subject.disk, work / "cut.img")
        disk = list(subject.disk)
    finally:
        restore(subject.disk, before)
    device = Device(workshop.family, work / "cut.img", work)
    log = work / RECOVERY_LOG
    log.touch()
    try:
        device.write_log = log
        made = _settle(workshop, device, promise)
        recovered = Mark("recovered", log.stat().st_size, choose=[made.name], settled=True)
        device.kill()
        device.write_log = None
        again = _settle(workshop, device, promise)
        assert again.id == made.id, f"it was {made.name} and became {again.name}"
        _finish(workshop, subject, device, again)
    finally:
        device.kill()
        device.image.unlink(missing_ok=True)
    return _recovery(subject, promise, recovered, disk, log, number)


def _settle(workshop: Workshop, device: Device, promise: Promise) -> Made:
    """Start, and wait until one of the revisions that may run does so, confirmed."""
    either = [workshop.known(name) for name in sorted(promise.choose)]
    device.start()
    status = device.wait_settled(*either, timeout=LIMIT)
    device.identity()
    return next(each for each in either if each.id == status.revision)


def _finish(workshop: Workshop, subject: Subject, device: Device, runs: Made) -> None:
    """Update to the other revision of the scenario, or look whether all is well when there is none."""
    others = [name for name in subject.recording.good if name != runs.name]
    if not others:
        device.assert_runs(runs)
        return
    target = workshop.known(others[-1])
    outcome = device.update(target, LIMIT)
    assert outcome.result == "confirmed", outcome
    device.assert_runs(target)


def _recovery(
    subject: Subject, promise: Promise, recovered: Mark, disk: list[bytes], log: Path, number: int
) -> Subject:
    """The first start as a recorded scenario, which begins with what had been promised before the cut."""
    first = Mark(
        "cut",
        0,
        choose=sorted(promise.choose),
        whole=sorted(promise.whole),
        prefix=dict(promise.prefix),
        settled=promise.settled,
    )
    name = f"{subject.recording.scenario}-recovery-{number}"
    recording = msgspec.structs.replace(
        subject.recording,
        scenario=name,
        base=f"{name}.img",
        base_digest=content_digest(disk),
        log_sha256=hash_file(log),
        marks=[first, recovered],
    )
    entries = read(log, subject.recording.disk_size)
    return Subject(recording, entries, disk, subject.contents, subject.blocks)
