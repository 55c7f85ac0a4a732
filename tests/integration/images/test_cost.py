# SPDX-License-Identifier: MIT
"""What importing an image costs, beside the usual three tools: the bounds of docs/apps.md, on a small image.

Processor time stands for time here, because tests run beside each other. A file is added to the image, as a compose
file's secret is: the bounds hold with it as well.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench.images import by_tools, by_us, make_image, measured


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cost")
    make_image(folder / "image", folder, 30_000_000)
    return folder / "image"


def test_an_import_costs_no_more_than_three_tools_and_a_second_one_nothing(layout: Path, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("a word\n")
    places = [tmp_path / "theirs", tmp_path / "ours"]
    for place in places:
        place.mkdir()
    theirs = measured(partial(by_tools, layout, places[0], file=secret))
    ours = measured(partial(by_us, f"oci:{layout}:big", places[1], file=secret))
    again = measured(partial(by_us, f"oci:{layout}:big", places[1], file=secret))
    assert ours.busy <= 1.5 * theirs.busy
    assert ours.peak <= 200  # MiB
    assert ours.size <= theirs.size
    assert again.size == ours.size and again.busy <= 0.1 * ours.busy
