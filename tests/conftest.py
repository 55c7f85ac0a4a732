# SPDX-License-Identifier: MIT
"""For all tests: how long an example may take is the machine's business, not the test's."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
