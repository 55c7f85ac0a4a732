# SPDX-License-Identifier: MIT
"""What a name means where a product has several machines: a revision for each of them, or one, and never a guess.

A channel, a release, the candidate and what was last seen of a remote mean one revision a machine. An id means the one
that it is of. What could be one machine's or another's (`main~1`) must be said: nobody takes the first in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import ConfigError, TrustError
from orchestrator.history.names import CANDIDATE, HEAD, Names, channel_tag
from orchestrator.history.releases import channel_named, renew
from orchestrator.revision import Release, Revision, candidate_tag, read_revision
from orchestrator.trust import ProductKeys, Signer

_STEPS = re.compile(r"[~^][~^0-9]*\Z")


@dataclass(frozen=True)
class Meant:
    """The revisions that a name means, in the order of the machines, or one.

    `release` is one that was named, `channel` a channel; `absent` are machines that have nothing under the name.
    """

    revisions: tuple[Revision, ...]
    release: Release | None = None
    channel: str = ""
    absent: tuple[str, ...] = ()

    @property
    def machines(self) -> dict[str, Revision]:
        """The revisions by machine."""
        return {each.config.machine: each for each in self.revisions}


def meant(names: Names, name: str, machines: Sequence[str], asked: str | None = None, *, every: bool = False) -> Meant:
    """Return what a name means. `machines` are the product's; `asked` is one that was asked for, that of `names`.

    With `every` a name like `main~1` means one revision for each machine that has it: for those who only look. Raises
    ConfigError for it otherwise, and what `Names.load` raises.
    """
    if asked:
        return Meant((names.load(name),))
    if (release := names.release(name)) is not None:
        return Meant(tuple(read_revision(names.store, each) for each in release.machines.values()), release)
    if len(machines) < 2:
        return Meant((names.load(name),))
    if steps := _STEPS.search(name):
        return _before(names, name, meant(names, name[: steps.start()] or HEAD, machines), every)
    channel = channel_named(names, name, machines)
    if name == CANDIDATE:
        found = {each: entry.digest for each in machines if (entry := names.store.resolve(candidate_tag(each)))}
    elif channel:
        found = {each: entry.digest for each in machines if (entry := names.store.resolve(channel_tag(channel, each)))}
    else:
        found = {each: entry.digest for each in machines if (entry := replace(names, machine=each).remotes().get(name))}
    if not found:
        return Meant((names.load(name),))
    absent = tuple(each for each in machines if each not in found)
    return Meant(tuple(read_revision(names.store, each) for each in found.values()), None, channel, absent)


def release_of(
    what: Meant, names: Names, machines: Sequence[str], keys: ProductKeys, signers: Sequence[Signer] | None = None
) -> Release | None:
    """Return the release that was meant: one by its name, or that of a channel's heads as they are now; else None.

    Raises TrustError for one that waits for signatures. `signers` are as for `renew`.
    """
    grouped = renew(names.store, machines, what.channel, keys, signers) if what.channel else None
    if grouped is not None and grouped.waits:
        raise TrustError(
            f"the release of {what.channel} waits for signatures",
            grouped.waits,
            f"sign it: pycontainer sign {what.channel}; or choose one machine: --machine {machines[0]}",
        )
    return grouped.release if grouped else what.release


def _before(names: Names, name: str, base: Meant, every: bool) -> Meant:
    """Return a revision some steps before another, which must be one machine's unless every machine's is wanted."""
    if len(base.revisions) > 1 and not every:
        raise which_machine(name, base.machines)
    found, absent = [], list(base.absent)
    problem: ConfigError | None = None
    for machine in base.machines:
        try:
            found.append(replace(names, machine=machine).load(name))
        except ConfigError as caught:  # its history may be shorter
            problem = problem or caught
            absent.append(machine)
    if problem is not None and not found:
        raise problem
    return Meant(tuple({each.id: each for each in found}.values()), absent=tuple(absent))


def which_machine(name: str, machines: Mapping[str, object]) -> ConfigError:
    """The error for a name of which one revision is wanted, and which each machine has another of."""
    there = list(machines)
    return ConfigError(
        f"{name!r} is another revision for each machine",
        f"the product is for {', '.join(there)}",
        f"say which is meant: --machine {there[0]}",
    )
