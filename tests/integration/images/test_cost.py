# SPDX-License-Identifier: MIT
"""What importing an image costs, beside the usual three tools: the bounds of docs/apps.md, on a small image.

Processor time stands for time here, because tests run beside each other.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench.images import by_tools, by_us, make_image, measured
from orchestrator.layers.squashfs import SMALL


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cost")
    make_image(folder / "image", folder, 30_000_000)
    return folder / "image"


def test_an_import_costs_no_more_than_three_tools_and_a_second_one_nothing(layout: Path, tmp_path: Path):
    places = [tmp_path / "theirs", tmp_path / "ours"]
    for place in places:
        place.mkdir()
    theirs = measured(partial(by_tools, layout, places[0], SMALL))
    ours = measured(partial(by_us, f"oci:{layout}:big", places[1], SMALL))
    again = measured(partial(by_us, f"oci:{layout}:big", places[1], SMALL))
    assert ours.busy <= 1.5 * theirs.busy
    assert ours.peak <= 200  # MiB
    assert ours.size <= theirs.size
    assert again.size == ours.size and again.busy <= 0.1 * ours.busy
