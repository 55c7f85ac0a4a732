# SPDX-License-Identifier: MIT
"""The table that a campaign ends with."""

from __future__ import annotations

from collections.abc import Sequence

from tests.powercut.campaign import Result

_HEAD = ("scenario", "cuts", "e2fsck", "boots", "lost", "mean ms", "boot s", "seed")


def table(results: Sequence[Result], seed: int, seconds: float) -> str:
    """One line a scenario and one for the sum; what controls lost is not in the sum."""
    rows = [_row(each) for each in results]
    real = [each for each in results if not each.scenario.startswith("control")]
    rows.append(
        (
            "sum without controls",
            str(sum(each.cuts for each in real)),
            str(sum(each.fscks for each in real)),
            str(sum(each.boots for each in real)),
            str(sum(len(each.failures) for each in real)),
            "",
            "",
            str(seed),
        )
    )
    widths = [max(len(row[column]) for row in [_HEAD, *rows]) for column in range(len(_HEAD))]
    lines = [_line(_HEAD, widths), "-" * (sum(widths) + 2 * len(widths) - 2)]
    lines += [_line(row, widths) for row in rows]
    return "\n".join([*lines, f"{seconds / 60:.1f} minutes"])


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.scenario,
        str(result.cuts),
        str(result.fscks),
        str(result.boots),
        str(len(result.failures)),
        f"{result.mean_ms:.1f}",
        f"{result.boot_seconds / result.boots:.0f}" if result.boots else "",
        str(result.seed),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    others = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([row[0].ljust(widths[0]), *others]).rstrip()
