# SPDX-License-Identifier: MIT
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.powercut.cuts import Cut, epochs, generate
from tests.powercut.disk import BLOCK, ZERO, Blocks, apply, patches, restore
from tests.powercut.writelog import SECTOR, Entry


def entry(sector: int = 0, sectors: int = 0, *, fua: bool = False) -> Entry:
    """A write of so many sectors, or a flush."""
    return Entry(sector * SECTOR, b"".join(bytes([n + 1]) * SECTOR for n in range(sectors)), not sectors, fua, 0)


histories = st.lists(
    st.one_of(
        st.builds(entry, st.integers(0, 40), st.integers(1, 12), fua=st.booleans()),
        st.just(entry()),
    ),
    max_size=30,
)


def disk_of(entries: list[Entry], cut: Cut) -> list[bytes]:
    blocks, disk = Blocks(), [ZERO] * 8
    for each in entries[: cut.since]:
        apply(disk, blocks, patches(each.offset, each.data))
    apply(disk, blocks, cut.patches(entries))
    return disk


@given(histories, st.integers(0, 3))
def test_the_same_seed_gives_the_same_cuts_and_all_of_them_differ(entries: list[Entry], seed: int) -> None:
    found = generate(entries, 0, len(entries), seed, 40)
    assert found == generate(entries, 0, len(entries), seed, 40)
    assert len({cut.key for cut in found}) == len(found)


@given(histories)
def test_every_cut_keeps_what_was_flushed_and_nothing_that_was_not_begun(entries: list[Entry]) -> None:
    for cut in generate(entries, 0, len(entries), 1, 60):
        assert cut.since == 0 or cut.since == len(entries) or entries[cut.since - 1].flush
        assert all(cut.since <= number < cut.at for number in cut.kept)
        assert not any(entries[number].flush for number in range(cut.since, cut.at))
        # With force unit access is on the medium once it is done.
        assert {n for n in range(cut.since, cut.at) if entries[n].fua} <= set(cut.kept)
        torn = {number for number, _, _ in cut.torn}
        assert torn <= set(cut.kept)
        for number, first, last in cut.torn:
            sectors = len(entries[number].data) // SECTOR
            assert (first == 0) != (last == sectors)
            assert 0 <= first < last <= sectors


@given(histories)
def test_each_boundary_is_among_the_cuts(entries: list[Entry]) -> None:
    found = generate(entries, 0, len(entries), 1, 1)
    boundaries = {
        (epoch.first, tuple(n for n in epoch.writes if entries[n].fua)) for epoch in epochs(entries, 0, len(entries))
    }
    assert {(cut.since, cut.kept) for cut in found} >= boundaries


def test_of_two_writes_of_one_sector_the_older_never_comes_over_the_newer() -> None:
    entries = [entry(0, 1), entry(0, 2)]
    seen = {bytes(disk_of(entries, cut)[0][: 2 * SECTOR : SECTOR]) for cut in generate(entries, 0, 2, 1, 50)}
    assert seen == {b"\0\0", b"\1\0", b"\1\2", b"\0\2"}


def test_a_small_epoch_has_every_write_alone_lost_and_torn() -> None:
    entries = [entry(0, 8), entry(8, 8), entry(16, 8)]
    found = generate(entries, 0, 3, 1, 200)
    kept = {cut.kept for cut in found}
    assert kept == {(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)}
    assert any(cut.torn and cut.torn[0][1] == 0 for cut in found)
    assert any(cut.torn and cut.torn[0][1] > 0 for cut in found)


@given(histories, st.integers(0, 100))
def test_undone_is_as_it_was(entries: list[Entry], which: int) -> None:
    cuts = generate(entries, 0, len(entries), 1, 30)
    blocks, disk = Blocks(), [blocks_of(n) for n in range(8)]
    before = list(disk)
    restore(disk, apply(disk, blocks, cuts[which % len(cuts)].patches(entries)))
    assert disk == before


def blocks_of(number: int) -> bytes:
    return bytes([number]) * BLOCK
