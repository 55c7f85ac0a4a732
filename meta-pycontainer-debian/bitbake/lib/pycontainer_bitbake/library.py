# SPDX-License-Identifier: GPL-2.0-only
"""What every program does before it uses BitBake's library: check the version and the locale."""

from __future__ import annotations

import sys

import bb
import bb.utils

from .version import LauncherError, require


def check() -> None:
    """Exit with a message unless the library is the supported one and the locale it needs is there."""
    try:
        require(bb.__version__)
    except LauncherError as error:
        sys.exit(str(error))
    bb.utils.check_system_locale()
