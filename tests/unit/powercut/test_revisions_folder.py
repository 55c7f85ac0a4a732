# SPDX-License-Identifier: MIT
"""How many revisions may be installed so that their folder changes within one sector only, whatever comes and goes.

ext4 puts a name at the first place that has room (fs/ext4/namei.c, ext4_find_dest_de), and one that is removed gives
its room to the one before it. The boot loader goes from name to name, without the journal. A change that begins in one
sector and ends in another may be torn, and then it misses what is named behind.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.powercut.writelog import SECTOR

FILES = Path(__file__).parents[3] / "meta-pycontainer/recipes-core/pycontainer-device/files/src"
HEAD = 8
DOTS = 24
Places = tuple[tuple[int, int], ...]
"""Where names begin, and how long they are."""
ID = 64
HIDDEN = 69
"""An installed revision, and one that an older version began or was removing: .<id>.new, .<id>.old."""


def size(length: int) -> int:
    """The least that a name takes."""
    return (HEAD + length + 3) // 4 * 4


def put(places: Places, length: int) -> Places:
    """A name at the first place that has room for it."""
    end = DOTS
    for place, other in places:
        if place - end >= size(length):
            break
        end = place + size(other)
    return tuple(sorted((*places, (end, length))))


def following(places: Places, most: int, names: tuple[int, ...]) -> list[Places]:
    """What may be done next: a name comes, or one goes."""
    found = [put(places, length) for length in names if sum(each == length for _, each in places) < most]
    return [*found, *(tuple(each for each in places if each != entry) for entry in places)]


def last_head(most: int, start: Places = (), names: tuple[int, ...] = (ID,)) -> int:
    """Where the last name may begin, of all states that a folder with so many of each kind of name comes to."""
    seen: set[Places] = set()
    open_ = [start]
    while open_:
        places = open_.pop()
        if places not in seen:
            seen.add(places)
            open_ += following(places, most, names)
    return max(place for places in seen for place, _ in places)


def most_installed() -> int:
    """As many as a device keeps."""
    found = re.search(r"#define REVISIONS_KEPT (\d+)", (FILES / "revisions.h").read_text())
    assert found is not None
    return int(found[1])


def test_the_names_of_as_many_as_are_kept_begin_in_the_first_sector() -> None:
    assert last_head(most_installed()) + HEAD <= SECTOR


@pytest.mark.parametrize("hidden", range(3))
def test_also_beside_what_an_older_version_left_there(hidden: int) -> None:
    start: Places = ()
    for length in [HIDDEN] * hidden + [ID] * (most_installed() - hidden):
        start = put(start, length)
    assert last_head(most_installed(), start) + HEAD <= SECTOR


@pytest.mark.parametrize(("most", "last"), [(1, 24), (5, 312), (7, 456), (8, 528)])
def test_more_would_not_be(most: int, last: int) -> None:
    assert last_head(most) == last


def test_names_of_another_length_would_leave_gaps() -> None:
    assert last_head(2, names=(ID, HIDDEN)) > last_head(4)
