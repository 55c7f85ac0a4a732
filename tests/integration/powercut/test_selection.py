# SPDX-License-Identifier: MIT
"""A selection of the power cuts of docs/reliability.md, with a few real starts; `make powercut-full` does them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Product
from tests.powercut.campaign import Plan
from tests.powercut.main import QUICK, Campaign, scratch_folder
from tests.powercut.rig import Workshop
from tests.powercut.scenarios import SCENARIOS

CUTS, FSCKS, BOOTS, SEED = 600, 4, 1, 1


@pytest.mark.slow
def test_no_cut_of_the_selection_loses_anything_and_every_control_does(
    demo: Product, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    workshop = Workshop(tmp_path, demo)
    with scratch_folder() as scratch:
        campaign = Campaign(
            workshop.recordings, Plan(CUTS, FSCKS, SEED, scratch), BOOTS, tmp_path / "failures", workshop
        )
        for name in QUICK:
            campaign.run(SCENARIOS[name])
    with capsys.disabled():
        print(f"\n{campaign.table()}")
    assert campaign.status() == 0, [each.failures for each in campaign.results]
