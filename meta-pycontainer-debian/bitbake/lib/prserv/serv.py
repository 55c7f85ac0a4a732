# SPDX-License-Identifier: GPL-2.0-only
"""Stands in for the package revision server: none is started, and asking for one is an error."""

from typing import Any


class PRServiceConfigError(Exception):
    """The configuration asks for a package revision server."""


def auto_start(d: Any) -> None:
    """Start nothing; `d` is BitBake's datastore, which must not ask for a server."""
    if d.getVar("PRSERV_HOST"):
        import bb

        bb.error("A package revision server is not supported: unset PRSERV_HOST")
        raise PRServiceConfigError


def auto_shutdown() -> None:
    """Nothing was started."""
