# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from tests.powercut.main import parser


def test_its_folder_is_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The products in it link to another one's folder of BitBake: a relative link would lead nowhere."""
    monkeypatch.chdir(tmp_path)
    assert parser().parse_args([]).folder == tmp_path / "build" / "powercut"
    assert parser().parse_args(["--folder", "here"]).folder == tmp_path / "here"
