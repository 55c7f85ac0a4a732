# SPDX-License-Identifier: MIT
"""A product with a store of two small revisions: what signs it is real, what it is made of need not be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.oci import Store
from orchestrator.revision import Revision, set_candidate
from tests.integration.conftest import pycontainer
from tests.unit.cli.test_device_command import PRODUCT
from tests.unit.revision.sample import sample_revision


@dataclass(frozen=True)
class Shop:
    """The product's folder, its revision, and the folder of its keys."""

    folder: Path
    keys: Path
    store: Store
    revision: Revision

    def ok(self, *words: str | Path, **environment: str) -> Any:
        """Run a command that must go well; return what it printed, as JSON."""
        done = pycontainer(*words, "--json", cwd=self.folder, PYCONTAINER_KEYS=str(self.keys), **environment)
        assert done.code == 0, done.out + done.err
        return json.loads(done.out)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "pycontainer.yaml").write_text(PRODUCT)
    store = Store.open_or_create(folder / ".pycontainer" / "store")
    revision = sample_revision(store)
    set_candidate(store, revision)
    return Shop(folder, tmp_path / "keys", store, revision)
