# SPDX-License-Identifier: MIT
"""Where the power is cut, and what a disk with a volatile write cache keeps then.

All that was written before the last flush is on the medium. Of what came after it the cache may have written any part,
in any order, but never an older content over a newer one of the same sector: so any subset of the writes, applied in
their order, and of the last one that was being written any number of sectors from its start or its end. A sector of 512
bytes is whole. A write with FUA counts as flushed when it is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.powercut.disk import Patch, patches
from tests.powercut.writelog import SECTOR, Entry

MOST_SINGLE = 24
"""Epochs of at most so many writes get every single write lost and every single write alone."""


@dataclass(frozen=True)
class Epoch:
    """The writes from one flush to the next: all entries from `first` up to the flush `end`."""

    first: int
    end: int
    writes: tuple[int, ...]


@dataclass(frozen=True, order=True)
class Cut:
    """A disk after a cut: all before entry `since` is on the medium, and of what follows the entries `kept`.

    `torn` tells the sectors [first, last) of an entry of `kept` that were written; others were written whole. `at` is
    the first entry that was not done any more: what the device knew before it must hold.
    """

    since: int
    at: int
    kept: tuple[int, ...]
    torn: tuple[tuple[int, int, int], ...] = field(default=())

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for cuts that leave the same disk."""
        return self.since, self.kept, self.torn

    def patches(self, entries: Sequence[Entry]) -> Iterator[Patch]:
        """What is written of the entries from `since` on."""
        torn = {number: (first, last) for number, first, last in self.torn}
        for number in self.kept:
            entry = entries[number]
            first, last = torn.get(number, (0, len(entry.data) // SECTOR))
            yield from patches(entry.offset + first * SECTOR, entry.data[first * SECTOR : last * SECTOR])


def epochs(entries: Sequence[Entry], begin: int, end: int) -> list[Epoch]:
    """The epochs of the entries [begin, end) in which anything is written; the first one begins at the flush before."""
    found: list[Epoch] = []
    first = 0
    for number in range(end + 1):
        if number < end and not entries[number].flush:
            continue
        writes = tuple(range(first, number))
        if writes and number >= begin:
            found.append(Epoch(first, number, writes))
        first = number + 1
    return found


def generate(entries: Sequence[Entry], begin: int, end: int, seed: int, count: int) -> list[Cut]:
    """Return distinct cuts of the entries [begin, end): every boundary, and others until they are `count`; in order.

    The same arguments give the same cuts.
    """
    chance = Random(seed)
    found: dict[tuple[object, ...], Cut] = {}
    all_epochs = epochs(entries, begin, end)

    def add(cut: Cut) -> None:
        found.setdefault(cut.key, cut)

    for epoch in all_epochs:
        add(_cut(entries, epoch, epoch.end, ()))
    add(Cut(end, end, ()))
    for cut in _systematic(entries, all_epochs, chance):
        if len(found) >= count:
            break
        add(cut)
    for _ in range(20 * count):
        if not all_epochs or len(found) >= count:
            break
        add(_random(entries, chance.choice(all_epochs), chance))
    return sorted(found.values())


def _cut(entries: Sequence[Entry], epoch: Epoch, at: int, kept: Sequence[int]) -> Cut:
    forced = {number for number in epoch.writes if number < at and entries[number].fua}
    return Cut(epoch.first, at, tuple(sorted(forced | set(kept))))


def _systematic(entries: Sequence[Entry], all_epochs: Sequence[Epoch], chance: Random) -> Iterator[Cut]:
    """Yield, round by round over all epochs: each write alone, each one lost, each prefix; each in a mixed order."""
    rounds: list[list[Cut]] = []
    for epoch in all_epochs:
        if len(epoch.writes) > MOST_SINGLE:
            continue
        cuts = [_cut(entries, epoch, epoch.end, [number]) for number in epoch.writes]
        cuts += [_cut(entries, epoch, epoch.end, [each for each in epoch.writes if each != n]) for n in epoch.writes]
        cuts += [_cut(entries, epoch, n + 1, range(epoch.first, n + 1)) for n in epoch.writes]
        chance.shuffle(cuts)
        rounds.append(cuts)
    while rounds:
        for cuts in rounds:
            yield cuts.pop()
        rounds = [cuts for cuts in rounds if cuts]


def _random(entries: Sequence[Entry], epoch: Epoch, chance: Random) -> Cut:
    """A cut at any place of an epoch, with any subset of what came before it, and at times a torn write."""
    place = chance.randrange(len(epoch.writes))
    share = chance.choice((0.1, 0.5, 0.9))
    kept = [number for number in epoch.writes[: place + 1] if chance.random() < share]
    # Whatever was written with FUA behind the place would have to be there.
    later = any(entries[number].fua for number in epoch.writes[place + 1 :])
    cut = _cut(entries, epoch, epoch.writes[place] + 1 if later else epoch.end, kept)
    wide = [number for number in cut.kept if len(entries[number].data) > SECTOR and not entries[number].fua]
    if not wide or chance.random() < 0.5:
        return cut
    number = chance.choice(wide)
    sectors = len(entries[number].data) // SECTOR
    edge = chance.randrange(1, sectors)
    span = (0, edge) if chance.random() < 0.5 else (edge, sectors)
    return Cut(cut.since, cut.at, cut.kept, ((number, *span),))
