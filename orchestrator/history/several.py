# SPDX-License-Identifier: MIT
"""What a name means where a product has several machines: a revision for each of them, or one, and never a guess.

A channel, a release, the candidate and what was last seen of a remote mean one revision a machine. An id means the one
that it is of. What could be one machine's or another's (`main~1`) must be said: nobody takes the first in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from orchestrator.errors import ConfigError
from orchestrator.history.names import CANDIDATE, HEAD, Names, channel_of, channel_tag
from orchestrator.history.source import SourceList, read_source
from orchestrator.oci import Store
from orchestrator.revision import Release, Revision, candidate_tag, read_revision

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


def one(names: Names, name: str, machines: Sequence[str], asked: str | None = None) -> Revision:
    """Return the one revision that a name means; raises ConfigError where each machine has another."""
    what = meant(names, name, machines, asked)
    if len(what.revisions) > 1:
        raise which_machine(name, what.machines)
    return what.revisions[0]


def channel_named(names: Names, name: str, machines: Sequence[str]) -> str:
    """Return the channel that a name means for any of the machines, HEAD that of `names`; empty for another name."""
    channel = names.channel if name in (HEAD, "@") else name
    there = {found[0] for tag in names.store.tags() if (found := channel_of(tag)) and found[1] in machines}
    return channel if channel in there else ""


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


@dataclass(frozen=True)
class Pairs:
    """Two revisions to be compared, for each machine that both names have one for; `absent` are the other machines."""

    of: tuple[tuple[Revision, Revision], ...]
    absent: tuple[str, ...] = ()


def two_sides(names: Names, older: str, newer: str, machines: Sequence[str], asked: str | None = None) -> Pairs:
    """Return what two names mean, machine by machine; a name of one revision is compared with that of its machine.

    Two names of one revision each are compared whatever their machines are. Raises ConfigError when no machine has
    both, and what `meant` raises.
    """
    before, after = (meant(names, name, machines, asked, every=True) for name in (older, newer))
    if len(before.revisions) == len(after.revisions) == 1:
        return Pairs(((before.revisions[0], after.revisions[0]),))
    one, other = before.machines, after.machines
    both = [each for each in one if each in other]
    if not both:
        raise ConfigError(
            f"{older} and {newer} have no machine in common", f"{', '.join(one)}; {', '.join(other)}", "name others"
        )
    single = 1 in (len(before.revisions), len(after.revisions))
    return Pairs(
        tuple((one[each], other[each]) for each in both),
        () if single else tuple(each for each in {**one, **other} if each not in both),
    )


def common_source(store: Store, revisions: Sequence[Revision]) -> SourceList | None:
    """Return the source of a product that revisions for its machines were made of; None when there is none.

    The pins that builds resolved are of one machine each: where they differ, none is in it. Raises ConfigError when
    anything else differs, so that one machine must be named.
    """
    listed = [read_source(store, each.id) for each in revisions]
    found = [each for each in listed if each is not None]
    if len(found) < 2:
        return found[0] if found else None
    if all(each == found[0] for each in found):
        return found[0]
    first, *others = [
        msgspec.structs.replace(each, files=[file for file in each.files if not file.resolved]) for each in found
    ]
    if any(each != first for each in others):
        machines = {each.config.machine: each for each in revisions}
        raise ConfigError(
            "the machines were built from different sources",
            ", ".join(f"{machine}: {each.short}" for machine, each in machines.items()),
            f"say whose are wanted: --machine {next(iter(machines))}",
        )
    return first


def which_machine(name: str, machines: Mapping[str, object]) -> ConfigError:
    """The error for a name of which one revision is wanted, and which each machine has another of."""
    there = list(machines)
    return ConfigError(
        f"{name!r} is another revision for each machine",
        f"the product is for {', '.join(there)}",
        f"say which is meant: --machine {there[0]}",
    )
