# SPDX-License-Identifier: MIT
"""Signing what a name means: a revision, those of all machines, or a release with its revisions; for cosign too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.history.names import Names
from orchestrator.history.releases import Grouped, sign_named
from orchestrator.history.several import meant
from orchestrator.revision import Revision, read_revision
from orchestrator.trust import ProductKeys, Signer, sign_revision
from orchestrator.trust.cosign import sign_for_cosign


@dataclass(frozen=True)
class Signed:
    """What was signed: the revisions, and the release where one was meant.

    `cosign` are the manifests of signatures for cosign, by the id of what they sign; `absent` are machines that have
    nothing under the name.
    """

    revisions: tuple[Revision, ...]
    grouped: Grouped | None
    cosign: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def sign_all(
    names: Names,
    name: str,
    machines: Sequence[str],
    asked: str | None,
    keys: ProductKeys,
    signers: Sequence[Signer],
    *,
    cosign: bool = False,
) -> Signed:
    """Sign all that a name means, or nothing of it; `asked` is the machine that was asked for.

    Raises ConfigError for a name that each machine has another revision of, and what `sign_revision` raises.
    """
    store = names.store
    with store.together():
        grouped = None if asked else sign_named(names, name, machines, keys, signers)
        absent: tuple[str, ...] = ()
        if grouped is not None:
            revisions = tuple(read_revision(store, each) for each in grouped.release.machines.values())
        else:
            what = meant(names, name, machines, asked)
            revisions, absent = what.revisions, what.absent
            for each in revisions:
                sign_revision(store, each, signers)
        made = {each.id: sign_for_cosign(store, each, signers).digest for each in revisions if cosign}
        if grouped is not None and cosign:
            made[grouped.release.id] = sign_for_cosign(store, grouped.release, signers).digest
    return Signed(revisions, grouped, made, absent)
