# SPDX-License-Identifier: MIT
from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.image.record import ATOMIC, MAX_GENERATION, Record, choose, decode, encode, next_boot
from orchestrator.revision.bootenv import BLOCK_SIZE as SIZE

VECTORS = Path(__file__).parents[2] / "data" / "record"
REVISIONS = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def records(draw: st.DrawFn) -> Record:
    attempt = draw(st.one_of(st.just(""), REVISIONS))
    left = draw(st.integers(0, 3)) if attempt else 0
    return Record(draw(st.integers(1, MAX_GENERATION)), draw(REVISIONS), attempt, left)


@given(records())
def test_a_record_survives_writing_and_reading(record: Record) -> None:
    data = encode(record)
    assert len(data) == SIZE
    assert decode(data) == record


@given(records())
def test_all_variables_lie_within_the_unit_that_disks_write_whole(record: Record) -> None:
    assert set(encode(record)[ATOMIC:]) == {ord("#")}


@given(records(), records(), st.integers(0, SIZE))
def test_a_write_torn_at_any_byte_gives_the_old_record_the_new_one_or_none(old: Record, new: Record, cut: int) -> None:
    assert decode(encode(new)[:cut] + encode(old)[cut:]) in (old, new, None)


@pytest.mark.parametrize("cut", range(ATOMIC))
def test_a_torn_write_never_gives_a_new_generation_to_an_old_attempt(cut: int) -> None:
    old, new = Record(5, "a" * 64, "b" * 64, 3), Record(6, "a" * 64, "c" * 64, 3)
    assert decode(encode(new)[:cut] + encode(old)[cut:]) in (old, new, None)


@given(records(), records(), st.integers(0, SIZE))
def test_a_torn_write_over_the_losing_copy_never_loses_the_choice(old: Record, new: Record, cut: int) -> None:
    torn = encode(new)[:cut] + encode(old)[cut:]
    copies = (decode(torn), decode(encode(old)))
    chosen = choose(copies)
    assert chosen is not None
    assert copies[chosen] in (old, new)


@given(records(), st.binary(max_size=2 * SIZE), st.booleans())
def test_garbage_in_one_copy_falls_back_to_the_other(record: Record, garbage: bytes, first: bool) -> None:
    copies = (decode(garbage), decode(encode(record)))
    assert choose(copies if first else copies[::-1]) == (1 if first else 0)


@given(records(), st.integers(0, ATOMIC - 1), st.integers(1, 255))
def test_a_changed_byte_never_gives_another_record(record: Record, position: int, flip: int) -> None:
    data = bytearray(encode(record))
    data[position] ^= flip
    assert decode(bytes(data)) in (record, None)


@given(records(), records())
def test_the_higher_generation_wins_wherever_it_lies(one: Record, other: Record) -> None:
    chosen = (one, other)[choose((one, other)) or 0]
    assert chosen.generation == max(one.generation, other.generation)


def test_of_equal_generations_the_attempt_that_was_counted_wins() -> None:
    counted, before = (Record(4, "a" * 64, "b" * 64, left) for left in (1, 2))
    assert choose((counted, before)) == 0
    assert choose((before, counted)) == 1
    assert choose((counted, counted)) == 0


def test_no_valid_copy_means_no_choice() -> None:
    assert choose((None, None)) is None


@pytest.mark.parametrize(
    ("generation", "rev", "attempt", "left"),
    [
        (0, "a" * 64, "", 0),
        (MAX_GENERATION + 1, "a" * 64, "", 0),
        (1, "A" * 64, "", 0),
        (1, "a" * 63, "", 0),
        (1, "a" * 64, "", 1),
        (1, "a" * 64, "b" * 64, 4),
        (1, "a" * 64, "b", 1),
        (1, "a" * 64 + "\n", "", 0),
    ],
)
def test_what_grub_could_not_read_is_refused(generation: int, rev: str, attempt: str, left: int) -> None:
    with pytest.raises(ValueError, match="not a boot record"):
        Record(generation, rev, attempt, left)


def test_three_attempts_are_made_and_then_the_confirmed_revision_returns() -> None:
    record = Record(9, "a" * 64, "b" * 64, 3)
    booted = []
    for _ in range(5):
        revision, record = next_boot(record)
        booted.append(revision[0])
    assert booted == ["b", "b", "b", "a", "a"]
    assert record == Record(9, "a" * 64)


@given(records())
def test_counting_keeps_the_generation_and_the_confirmed_revision(record: Record) -> None:
    _, after = next_boot(record)
    assert (after.generation, after.rev) == (record.generation, record.rev)
    assert choose((record, after)) == (0 if after == record or after.left == record.left else 1)


def test_the_vectors_that_the_device_is_tested_with_are_what_their_maker_makes() -> None:
    spec = importlib.util.spec_from_file_location("make_record_vectors", VECTORS / "make_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    made = maker.files()
    assert sorted(made) == sorted(path.name for path in VECTORS.glob("*.json"))
    for name, text in made.items():
        assert (VECTORS / name).read_text() == text, name
