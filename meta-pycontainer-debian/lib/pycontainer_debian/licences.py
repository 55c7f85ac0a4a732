# SPDX-License-Identifier: MIT
"""What is not free software is taken only from who accepts its licence: a package's flag, as OpenEmbedded has them."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import DebianError
from .lock import Locked

_FREE = ("main", "contrib")


def component(filename: str) -> str:
    """Return the archive component of a file of the pool: Debian keeps its licences apart there.

    The security archive has a folder between: pool/updates/main, pool/main.
    """
    _pool, place, *rest = filename.split("/")
    return rest[0] if place == "updates" else place


def flag(locked: Locked) -> str:
    """Return a package's licence flag, COMPONENT_PACKAGE; empty for one of main or contrib."""
    place = component(locked.filename)
    return "" if place in _FREE else f"{place}_{locked.name}"


def check_accepted(pinned: Iterable[Locked], accepted: str) -> None:
    """Raise DebianError for a package whose licence nobody has accepted.

    `accepted` are flags, parted by blanks; a component's name alone accepts all that is in it, as
    LICENSE_FLAGS_ACCEPTED does.
    """
    known = accepted.split()
    for one in pinned:
        if (wanted := flag(one)) and wanted not in known and component(one.filename) not in known:
            raise DebianError(
                f"the licence of {one.name} is not accepted",
                f"it is in Debian's {component(one.filename)}: on terms of its own, which its copyright file has",
                f"read them, and if they suit you build with PYCONTAINER_LICENSE_FLAGS={wanted}",
            )
