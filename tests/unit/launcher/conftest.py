# SPDX-License-Identifier: MIT
"""Makes the launcher and the Debian base's library importable, as bitbake's programs do."""

from __future__ import annotations

import sys
from pathlib import Path

_LAYER = Path(__file__).resolve().parents[3] / "meta-pycontainer-debian"
for _folder in (_LAYER / "lib", _LAYER / "bitbake" / "lib"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
