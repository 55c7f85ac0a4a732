# SPDX-License-Identifier: MIT
"""A product's folder with a compose file in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.compose import Import, Request, import_compose

Take = Callable[..., Import]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Import the text of a compose file; further words go into the request."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "app.conf").write_text("a=1\n")
    (tmp_path / "secret.txt").write_text("hush\n")
    (tmp_path / "app.env").write_text("FROM_FILE=1\n")
    (tmp_path / "labels").write_text("role=front\n")

    def take(text: str, **words: Any) -> Import:
        file = tmp_path / "compose.yaml"
        file.write_text(text)
        return import_compose(Request(file=file, root=tmp_path, **words))

    return take
