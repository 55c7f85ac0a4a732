# SPDX-License-Identifier: MIT
"""Real starts of disks after a cut: to the healthy state, twice; then the update that was cut is made again.

The first start is recorded as well, and its writes are cut in their turn: a second power cut during the recovery.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
AT_ONCE = 2
"""Machines side by side: an emulated one keeps a processor busy."""


def run_boots(
    workshop: Workshop,
    subject: Subject,
    cuts: Sequence[Cut],
    plan: Plan,
    count: int,
    result: Result,
    recoveries: Result,
    keep: Callable[[], None] = lambda: None,
) -> None:
    """Start a sample of the disks, two at a time; adds to `result`, and to `recoveries` what cutting those came to.

    Those that `result` has already are left out; `keep` is called after each. A recovery in which something is lost is
    kept as a recording of its own.
    """
    shorter = replace(plan, cuts=max(plan.cuts // 10, 50), fscks=1)
    sample = sorted(Random(plan.seed).sample(list(cuts), min(count, len(cuts))))
    turn = threading.Lock()  # the subject's disk is one, and so is what Python computes with

    def start(number: int, cut: Cut) -> None:
        begun = time.monotonic()
        work = plan.scratch / f"boot-{number}"
        try:
            recovery, boots = _boot(workshop, subject, cut, work, number, turn)
        except Exception as problem:  # whatever goes wrong with a device is what is looked for
            lost = f"{type(problem).__name__}: {problem}"[:2000]
            recording = subject.recording
            with turn:
                result.failures.append(of(recording.scenario, recording.log_sha256, plan.seed, cut, "boot", lost))
        else:
            with turn:
                result.boots += boots
                found, _ = run_cuts(recovery, shorter)
                recoveries.add(found)
                if found.failures:
                    _keep(workshop, recovery, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        with turn:
            result.boot_seconds += time.monotonic() - begun
            result.booted.append(number)
            keep()

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        waiting = [pool.submit(start, number, cut) for number, cut in enumerate(sample) if number not in result.booted]
        for each in waiting:
            each.result()
    finally:
        # Who is interrupted does not wait for the machines: they end with this process.
        pool.shutdown(wait=False, cancel_futures=True)


def _keep(workshop: Workshop, recovery: Subject, work: Path) -> None:
    """Put a recovery beside the recordings, so that its cuts can be replayed."""
    folder = workshop.recordings / recovery.recording.scenario
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_image(recovery.base, workshop.recordings / recovery.recording.base)
    shutil.copyfile(work / RECOVERY_LOG, folder / LOG)
    save(recovery.recording, folder)


def _boot(
    workshop: Workshop, subject: Subject, cut: Cut, work: Path, number: int, turn: threading.Lock
) -> tuple[Subject, int]:
    """Start the disk after a cut twice and update it.

    Returns the first start as a subject of its own, and how often it was started, the update's restart included.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    promise = promise_at(subject.promises, cut.at)
    with turn:
        before = subject.put(cut)
        try:
            write_image(subject.disk, work / "cut.img")
            disk = list(subject.disk)
        finally:
            restore(subject.disk, before)
    device = Device(workshop.family, work / "cut.img", work)
    (work / "cut.img").unlink()
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
        restarts = _finish(workshop, subject, device, again)
    finally:
        device.kill()
        device.image.unlink(missing_ok=True)
    with turn:
        return _recovery(subject, promise, recovered, disk, log, number), device.starts + restarts


def _settle(workshop: Workshop, device: Device, promise: Promise) -> Made:
    """Start, and wait until one of the revisions that may run does so, confirmed."""
    either = [workshop.known(name) for name in sorted(promise.choose)]
    device.start()
    status = device.wait_settled(*either, timeout=LIMIT)
    device.identity()
    return next(each for each in either if each.id == status.revision)


def _finish(workshop: Workshop, subject: Subject, device: Device, runs: Made) -> int:
    """Update to another revision of the scenario, or look whether all is well when there is none.

    Returns how often the device was restarted for it.
    """
    others = [name for name in subject.recording.good if name != runs.name]
    if not others:
        device.assert_runs(runs)
        return 0
    target = workshop.known(others[-1])
    outcome = device.update(target, LIMIT)
    assert outcome.result == "confirmed", outcome
    device.assert_runs(target)
    return len(re.findall("pycontainer: booting revision", device.text)) - 1


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
