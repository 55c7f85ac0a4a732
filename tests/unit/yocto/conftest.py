# SPDX-License-Identifier: MIT
"""meta-pycontainer's library is on BitBake's path, not on Python's: the tests put it there."""

from __future__ import annotations

import sys
from pathlib import Path

LIBRARY = Path(__file__).parents[3] / "meta-pycontainer" / "lib"
if str(LIBRARY) not in sys.path:
    sys.path.append(str(LIBRARY))
