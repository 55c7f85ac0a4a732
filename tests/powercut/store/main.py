# SPDX-License-Identifier: MIT
"""python -m tests.powercut.store: kill the commands that change a store, fill the disk, and cut the power, at every
change of a file; check what is left, run them again, and print the table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.powercut.main import scratch_folder
from tests.powercut.store.faults import KINDS
from tests.powercut.store.intercept import available
from tests.powercut.store.scenes import SCENES, warm
from tests.powercut.store.trial import Outcome, Trial

_HEAD = ("command", "changes", "kills", "full disks", "power cuts", "states", "lost")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.powercut.store", description=__doc__)
    made.add_argument("--scenes", default="all", help=f"of {', '.join(SCENES)}; or all")
    made.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    made.add_argument(
        "--at-most", type=int, default=0, metavar="N", help="places of each scene and kind (0: every one)"
    )
    made.add_argument("--at", type=int, default=None, metavar="N", help="this place only (0: a cut after the last one)")
    made.add_argument("--folder", type=Path, default=None, help="to work in, and to leave what was lost last in")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 when nothing was lost, 5 otherwise, 2 for what cannot be run."""
    options = parser().parse_args(arguments)
    names = list(SCENES) if options.scenes == "all" else options.scenes.split(",")
    kinds = options.kinds.split(",")
    if unknown := [each for each in names if each not in SCENES] + [each for each in kinds if each not in KINDS]:
        print(f"there is no {', '.join(unknown)}", file=sys.stderr)
        return 2
    if not available():
        print("this system does not let the calls of a process be intercepted (seccomp_unotify)", file=sys.stderr)
        return 2
    warm()
    begun = time.monotonic()
    if options.folder:
        outcomes = _run(options, names, kinds, options.folder.resolve())
    else:
        with scratch_folder() as folder:
            outcomes = _run(options, names, kinds, folder.resolve())
    print(table(outcomes, time.monotonic() - begun))
    return 5 if any(each.lost for each in outcomes) else 0


def _run(options: argparse.Namespace, names: list[str], kinds: list[str], folder: Path) -> list[Outcome]:
    outcomes = []
    for name in names:
        begun = time.monotonic()
        trial = Trial(SCENES[name], folder)
        if options.at is not None:
            for kind in kinds:
                trial.try_one(kind, options.at)
        else:
            trial.run(spread(options.at_most), kinds)
        outcomes.append(trial.outcome)
        print(f"{name}: {trial.outcome.changes} changes, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        for each in trial.outcome.lost:
            print(f"LOST: {each.scene} {each.kind} at {each.position} ({each.call}): {each.wrong}", file=sys.stderr)
    return outcomes


def spread(at_most: int) -> Callable[[int], Iterable[int]]:
    """Choose so many of the places from 1 on, evenly, the last among them; 0 chooses all."""

    def choose(count: int) -> Iterable[int]:
        if not at_most or count <= at_most:
            return range(1, count + 1)
        return sorted({round((number + 1) * count / at_most) for number in range(at_most)})

    return choose


def table(outcomes: Sequence[Outcome], seconds: float) -> str:
    """One line a scene, and one for the sum."""
    rows = [
        (each.scene, *map(str, (each.changes, each.kills, each.full, each.cuts, each.states, len(each.lost))))
        for each in outcomes
    ]
    sums = [sum(int(row[column]) for row in rows) for column in range(1, len(_HEAD))]
    rows.append(("sum", *map(str, sums)))
    widths = [max(len(row[column]) for row in [_HEAD, *rows]) for column in range(len(_HEAD))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in [_HEAD, *rows]
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], f"{seconds / 60:.1f} minutes"])
