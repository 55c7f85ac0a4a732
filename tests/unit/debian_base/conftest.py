# SPDX-License-Identifier: MIT
"""The base's library lies outside the installed package: BitBake finds it by addpylib, the tests by this path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "meta-pycontainer-debian" / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
