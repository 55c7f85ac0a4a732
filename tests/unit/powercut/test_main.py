# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from tests.powercut.campaign import Result
from tests.powercut.done import Done
from tests.powercut.failure import Failure
from tests.powercut.main import parser


def test_its_folder_is_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The products in it link to another one's folder of BitBake: a relative link would lead nowhere."""
    monkeypatch.chdir(tmp_path)
    assert parser().parse_args([]).folder == tmp_path / "build" / "powercut"
    assert parser().parse_args(["--folder", "here"]).folder == tmp_path / "here"


def test_what_is_done_is_known_again_for_the_same_plan_only(tmp_path: Path) -> None:
    path, plan = tmp_path / "done.json", ("ab", 1, 100, 5)
    lost = Failure("live", "ab", 1, 3, 9, [4], [(4, 0, 1)], "boot", "it did not come about")
    result = Result("live", 1, cuts=100, boots=4, chosen={"base": 100}, failures=[lost], booted=[0, 2])
    Done(path, resume=False).keep("live", plan, [result, Result("live, recovery", 1)])
    known = Done(path, resume=True)
    assert known.of("live", plan) == [result, Result("live, recovery", 1)]
    assert known.of("live", ("ac", *plan[1:])) is None and known.of("full", plan) is None
    assert Done(path, resume=False).of("live", plan) is None
