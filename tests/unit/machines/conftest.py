# SPDX-License-Identifier: MIT
"""The Debian base's library, which is no part of the package, is found here too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "meta-pycontainer-debian" / "lib"))
