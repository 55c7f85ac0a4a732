# SPDX-License-Identifier: MIT
"""python -m tests.powercut: record the scenarios, cut them everywhere, check, start a sample, and print the table."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.powercut import failure
from tests.powercut.boots import run_boots
from tests.powercut.campaign import Plan, Result, run_cuts, second_opinion
from tests.powercut.check import Subject, check
from tests.powercut.controls import DESIGNS, as_subject
from tests.powercut.cuts import generate
from tests.powercut.done import Done
from tests.powercut.recording import NAME, load
from tests.powercut.rig import Workshop, record
from tests.powercut.scenarios import SCENARIOS, Scenario
from tests.powercut.table import table

QUICK = ("live", "full")
CONTROLLED = "full"
"""The scenario whose writes the controls put in another order."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    # Absolute: the products in it are links to the BitBake folder of one of them.
    made.add_argument("--folder", type=_absolute, default="build/powercut", help="for the product and the recordings")
    made.add_argument("--scenarios", default=",".join(QUICK), help=f"of {', '.join(SCENARIOS)}; or all")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--cuts", type=int, default=1000, help="of each scenario")
    made.add_argument("--e2fsck", type=int, default=5, help="how many of them e2fsck looks at, too")
    made.add_argument("--boots", type=int, default=1, help="how many of them are started")
    made.add_argument("--reuse", action="store_true", help="use the recordings that are there; starts nothing")
    made.add_argument("--resume", action="store_true", help="use what is there, and go on where a campaign was stopped")
    made.add_argument("--replay", type=Path, metavar="FAILURE", help="check the one cut of this file, and nothing else")
    return made


def _absolute(text: str) -> Path:
    return Path(text).absolute()


def main(arguments: list[str] | None = None) -> int:
    """Run it; 0 when nothing was lost and every control failed, 5 otherwise, 2 for what cannot be run."""
    options = parser().parse_args(arguments)
    recordings: Path = options.folder / "recordings"
    names = list(SCENARIOS) if options.scenarios == "all" else options.scenarios.split(",")
    if unknown := [name for name in names if name not in SCENARIOS]:
        _say(f"there is no scenario {', '.join(unknown)}, but {', '.join(SCENARIOS)}")
        return 2
    with scratch_folder() as scratch:
        plan = Plan(options.cuts, options.e2fsck, options.seed, scratch)
        if options.replay is not None:
            return replay(options.replay, recordings, plan)
        if options.reuse and (missing := [name for name in names if not (recordings / name / NAME).exists()]):
            _say(f"there is no recording of {', '.join(missing)} in {recordings}")
            return 2
        workshop = None if options.reuse else Workshop(options.folder)
        done = None if options.reuse else Done(options.folder / "done.json", resume=options.resume)
        campaign = Campaign(recordings, plan, options.boots, options.folder / "failures", workshop, done)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for name in names:
                campaign.attempt(SCENARIOS[name])
        except KeyboardInterrupt:
            print(campaign.table(), flush=True)
            _say("stopped: --resume goes on with the rest")
            shutil.rmtree(scratch, ignore_errors=True)
            os._exit(130)  # threads wait for machines, which end with this process
        print(campaign.table())
        return campaign.status()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for images that are worked on: in memory when there is such a place."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory) as scratch:
        yield Path(scratch)


class Campaign:
    """Scenarios, one after the other; without a workshop, those that were recorded before, and nothing is started.

    `done` keeps what was found, boot by boot; with one of a campaign that was stopped, what it did is not done again.
    """

    def __init__(
        self,
        recordings: Path,
        plan: Plan,
        boots: int,
        failures: Path,
        workshop: Workshop | None = None,
        done: Done | None = None,
    ) -> None:
        self.recordings, self.plan, self.boots, self.failures = recordings, plan, boots, failures
        self.workshop, self.done = workshop, done
        self.results: list[Result] = []
        self.broken: list[str] = []
        self._begun = time.monotonic()

    def attempt(self, scenario: Scenario) -> None:
        """Run a scenario; one that cannot be played does not keep the others from their turns."""
        try:
            self.run(scenario)
        except Exception as problem:
            self.broken.append(scenario.name)
            _say(f"BROKEN: {scenario.name}: {type(problem).__name__}: {problem}"[:2000])

    def run(self, scenario: Scenario) -> None:
        """Record a scenario, cut it, start a sample; of the one with the restart, the controls too."""
        if self.workshop is not None and not self._is_recorded(scenario):
            _say(f"{scenario.name}: recording")
            record(self.workshop, scenario.name, self.workshop.beginning(scenario.fresh), scenario.play)
        subject = Subject.open(self.recordings / scenario.name)
        plan = (subject.recording.log_sha256, self.plan.seed, self.plan.cuts, self.plan.fscks)
        if (kept := self.done.of(scenario.name, plan) if self.done else None) is not None:
            result, recoveries, *controls = kept
        else:
            result, _ = run_cuts(subject, self.plan, _progress(scenario.name))
            recoveries = Result(f"{scenario.name}, recovery", self.plan.seed)
            controls = [self._control(subject, name) for name in DESIGNS] if scenario.name == CONTROLLED else []
        found = [result, recoveries, *controls]
        self.results += found if self.workshop is not None and self.boots else [result, *controls]

        def keep() -> None:
            for each in (*result.failures, *recoveries.failures):
                failure.save(each, self.failures)
            if self.done:
                self.done.keep(scenario.name, plan, found)

        keep()
        if self.workshop is not None and self.boots:
            _say(f"{scenario.name}: starting {self.boots}")
            cuts = generate(subject.entries, 0, len(subject.entries), self.plan.seed, self.plan.cuts)

            def told() -> None:
                keep()
                _say(f"{scenario.name}: {len(result.booted)} of {self.boots} done, {result.boots} starts")

            run_boots(self.workshop, subject, cuts, self.plan, self.boots, result, recoveries, told)
        for each in (*result.failures, *recoveries.failures):
            _say(f"LOST: {each.lost}\n      {failure.save(each, self.failures)}")

    def _is_recorded(self, scenario: Scenario) -> bool:
        """Whether a campaign that was stopped has recorded it, of the revisions that the workshop has now."""
        assert self.workshop is not None
        if self.done is None or not self.done.resume:
            return False
        folder = self.recordings / scenario.name
        try:
            base = load(folder).revisions["base"].id
        except (OSError, ValueError):
            return False
        self.workshop.beginning(scenario.fresh)
        return base == self.workshop.family.base.id

    def _control(self, subject: Subject, name: str) -> Result:
        result, _ = run_cuts(as_subject(subject, DESIGNS[name]), self.plan, _progress(name))
        result.scenario = name
        return result

    def table(self) -> str:
        return table(self.results, self.plan.seed, time.monotonic() - self._begun)

    def status(self) -> int:
        """0 when all were played, nothing was lost but in the controls, and in each of them something was; else 5."""
        blind = [result.scenario for result in self.results if result.scenario in DESIGNS and not result.failures]
        for name in blind:
            _say(f"BLIND: nothing was found in {name}")
        lost = [result for result in self.results if result.failures and result.scenario not in DESIGNS]
        return 5 if blind or lost or self.broken else 0


def replay(path: Path, recordings: Path, plan: Plan) -> int:
    """Check one kept cut again, by the model and by e2fsck; 0 when nothing is lost any more."""
    kept = failure.load(path)
    subject = Subject.open(recordings / kept.scenario)
    if subject.recording.log_sha256 != kept.log_sha256:
        _say(f"{path} belongs to another recording of {kept.scenario}")
        return 2
    verdict = check(subject, kept.cut)
    opinion = second_opinion(subject, kept.cut, plan)
    _say(f"{kept.scenario}: cut after entry {kept.since}, with {len(kept.kept)} of those that follow")
    _say(f"  then:   {kept.how}: {kept.lost}")
    _say(f"  check:  {verdict.lost or 'nothing is lost'}{f' (doubt: {verdict.doubt})' if verdict.doubt else ''}")
    _say(f"  e2fsck: {opinion or 'nothing is lost'}")
    return 5 if opinion or (verdict.lost and not verdict.doubt) else 0


def _progress(name: str) -> Callable[[int, int], None]:
    last = [0.0]

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (time.monotonic() - last[0] > 0.5 or done == total):
            last[0] = time.monotonic()
            sys.stderr.write(f"\r{name}: {done} of {total} cuts" + ("\n" if done == total else ""))

    return show


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
