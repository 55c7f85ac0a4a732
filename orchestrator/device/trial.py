# SPDX-License-Identifier: MIT
"""Trying a revision on a device, and waiting until it is confirmed or rolled back, over restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.bundle import Bundle
from orchestrator.device.answers import DeviceError, Status, plain
from orchestrator.device.link import Link
from orchestrator.device.protocol import WORK_SECONDS
from orchestrator.device.sending import Listener, install
from orchestrator.device.stream import LinkError
from orchestrator.errors import TryAgainError, VerificationError
from orchestrator.oci.layout import Layout
from orchestrator.revision import Revision

WAIT_SECONDS = 900.0
POLL_SECONDS = 1.0
_POLL_TIMEOUT = 10.0
CONFIRMED = "confirmed"
ROLLED_BACK = "rolled back"


class RolledBackError(VerificationError):
    """The device tried a revision and went back to the one before."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: `result` is confirmed or rolled back; `seconds` from the request on."""

    revision: str
    result: str
    reason: str
    seconds: float

    def check(self) -> Outcome:
        """Return itself when the revision is confirmed; raises RolledBackError (exit code 5) with the reason else."""
        if self.result != CONFIRMED:
            raise RolledBackError(
                f"revision {short(self.revision)} was rolled back", self.reason, "pycontainer device logs tells more"
            )
        return self


def short(revision: str | None) -> str:
    """Return a revision's id as people see it."""
    return plain(revision or "none").removeprefix("sha256:")[:12]


def update(
    link: Link,
    bundle: Bundle,
    revision: Revision,
    listener: Listener,
    *,
    limit: float = WAIT_SECONDS,
    poll: float | None = None,
    go_on: Callable[[], bool] = lambda: True,
    known: Sequence[Layout] = (),
) -> Outcome:
    """Install a revision, try it, and wait for the end of the trial; see `install` and `try_revision`."""
    sent = install(link, bundle, revision, listener, known=known)
    listener.say(f"revision {revision.short} ({revision.config.version}) is installed, {sent}")
    return try_revision(link, revision.id, listener, limit=limit, poll=poll, go_on=go_on)


def try_revision(
    link: Link,
    revision: str,
    listener: Listener,
    *,
    limit: float = WAIT_SECONDS,
    poll: float | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Let the device try an installed revision, and wait until it is confirmed or rolled back.

    A lost link is expected: the device may restart. `go_on` is asked between two looks whether waiting still makes
    sense. Raises TryAgainError when `limit` seconds pass, DeviceError when the device refuses the trial.
    """
    started = time.monotonic()
    trial = _Trial(link, revision, listener)
    if trial.confirmed(trial.before):
        listener.say(f"revision {short(revision)} runs already, confirmed")
        return Outcome(revision, CONFIRMED, "", 0.0)
    trial.begin()
    while True:
        verdict = trial.look()
        elapsed = time.monotonic() - started
        if verdict is not None:
            result, reason = verdict
            listener.say(f"{result} after {elapsed:.0f} s" + (f": {reason}" if reason else ""))
            return Outcome(revision, result, reason, elapsed)
        if elapsed > limit or not go_on():
            raise TryAgainError(
                f"the trial of revision {short(revision)} has not ended",
                f"{elapsed:.0f} seconds passed; {trial.last}",
                "look again with: pycontainer device status",
            )
        time.sleep(POLL_SECONDS if poll is None else poll)


class _Trial:
    """What was seen of a trial so far."""

    def __init__(self, link: Link, revision: str, listener: Listener) -> None:
        self.link, self.revision, self.listener = link, revision, listener
        self.before = link.ask_for("status", Status)
        self.last = "the device has not begun it"
        self._told: set[str] = set()
        self._seen = False
        self._asked = False
        self._uptime = self.before.uptime_ms
        self._looked = time.monotonic()

    def begin(self) -> None:
        """Ask for the trial; the answer may be lost with the link, because the device restarts for it."""
        self._asked = True
        try:
            self.link.ask("try", {"revision": self.revision}, timeout=WORK_SECONDS)
        except LinkError:
            self._asked = False

    def look(self) -> tuple[str, str] | None:
        """Return result and reason when the trial has ended."""
        try:
            status = self.link.ask_for("status", Status, timeout=_POLL_TIMEOUT)
        except (LinkError, DeviceError) as problem:
            self._tell(f"the device is away ({problem.what}); waiting for it")
            self.last = "the device does not answer"
            return None
        now = time.monotonic()
        restarted = status.uptime_ms < self._uptime or status.uptime_ms / 1000 < now - self._looked
        self._uptime, self._looked = status.uptime_ms, now
        if restarted:
            self._seen = True
            self._tell(f"the device has restarted, with revision {short(status.revision)}")
        if status.trial is not None and same(status.trial.revision, self.revision):
            self._seen = True
            self._describe(status)
            return None
        if self.confirmed(status):
            return CONFIRMED, ""
        return self._judge(status)

    def confirmed(self, status: Status) -> bool:
        """Whether the device runs the revision and keeps it."""
        return status.state == CONFIRMED and same(status.revision, self.revision)

    def _judge(self, status: Status) -> tuple[str, str] | None:
        outcome = status.outcome
        if outcome is not None and same(outcome.revision, self.revision) and outcome != self.before.outcome:
            if outcome.result == CONFIRMED:
                return None  # told before the device counts it as running; the next look sees that
            return ROLLED_BACK, plain(outcome.reason or outcome.result)
        record = status.record
        pending = record is not None and same(record.try_, self.revision) and record.left != 0
        if pending or status.state != CONFIRMED:
            self.last = f"the device is about to start it, and runs {short(status.revision)}"
            return None
        if self._seen:
            reason = plain(outcome.reason or "") if outcome and same(outcome.revision, self.revision) else ""
            return ROLLED_BACK, reason or f"the device runs {short(status.revision)} again and tells no reason"
        if not self._asked:
            self.begin()
        return None

    def _describe(self, status: Status) -> None:
        trial = status.trial
        assert trial is not None
        how = {"live": "without a restart", "boot": "started for it"}.get(trial.how, plain(trial.how))
        self._tell(f"the trial of revision {short(self.revision)} runs ({how})")
        waiting = ", ".join(plain(text) for text in trial.waiting)
        self.last = f"it waits for: {waiting}" if waiting else "it is on trial"
        if waiting:
            self._tell(self.last)

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.listener.say(text)


def same(one: str | None, other: str | None) -> bool:
    """Whether two ids, with or without their algorithm, are one."""
    return one is not None and other is not None and one.removeprefix("sha256:") == other.removeprefix("sha256:")
