# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from tests.powercut.campaign import Plan, Result
from tests.powercut.done import Done
from tests.powercut.failure import Failure
from tests.powercut.main import Campaign, parser
from tests.powercut.scenarios import SCENARIOS


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


def test_a_scenario_that_cannot_be_played_is_told_and_the_others_have_their_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = Campaign(tmp_path / "recordings", Plan(10, 0, 1, tmp_path), 0, tmp_path / "failures")
    campaign.attempt(SCENARIOS["live"])
    assert "BROKEN: live: FileNotFoundError" in capsys.readouterr().err
    assert campaign.status() == 5 and "sum without controls" in campaign.table()
