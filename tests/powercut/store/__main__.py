# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys

from tests.powercut.store.main import main

sys.exit(main())
