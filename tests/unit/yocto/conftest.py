# SPDX-License-Identifier: MIT
"""The library of meta-pycontainer is on the path of BitBake, not on that of Python: the tests put it there."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
for folder in (ROOT / "meta-pycontainer" / "lib", ROOT / "meta-pycontainer-debian" / "bitbake" / "lib"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
