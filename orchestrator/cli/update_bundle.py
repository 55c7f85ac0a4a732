# SPDX-License-Identifier: MIT
"""What `pycontainer run --update` takes: a bundle, or the name of a revision in the store, of which one is made."""

from __future__ import annotations

from pathlib import Path

from orchestrator.build.workspace import Workspace
from orchestrator.bundle import create
from orchestrator.history.names import Names
from orchestrator.oci import Store
from orchestrator.trust import load_keys


def bundle_of(word: Path, place: Workspace) -> Path:
    """Return the bundle that a word means, made in the build folder when the word names a revision.

    Raises what `Names.load` and `bundle.create` raise.
    """
    if word.exists() or word.suffix == ".tar":
        return word  # whoever opens it says what is wrong with it
    store = Store.open(place.store)
    revision = Names(store, place.machine).load(str(word))
    out = place.build / f"{place.product}-{place.machine}-{revision.short}.tar"
    return create(store, [revision], load_keys(place.product), out).path
