# SPDX-License-Identifier: MIT
"""For all tests: how long an example may take is the machine's business, not the test's; and which share a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent

settings.register_profile("project", deadline=None)
settings.load_profile("project")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say to pytest-xdist what shares a process, and so what was built for it: the tests of a file, or of a folder.

    Before pytest-xdist reads it, and it does so in this hook.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item.path)))


def group_of(file: Path) -> str:
    """Name the group of a file's tests."""
    parts = file.relative_to(HERE).parts
    # Those of the updates take the longest and share little.
    together = parts[0] == "integration" and len(parts) > 2 and parts[1] != "updates"
    return "/".join(parts[:2] if together else parts)
