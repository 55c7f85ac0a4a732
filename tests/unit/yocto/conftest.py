# SPDX-License-Identifier: MIT
"""meta-pycontainer's library is on BitBake's path, not on Python's: the tests put it there, beside what BitBake's asks for."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
for folder in (ROOT / "meta-pycontainer" / "lib", ROOT / "meta-pycontainer-debian" / "bitbake" / "lib"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
