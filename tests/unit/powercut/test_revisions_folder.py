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
Places = tuple[tuple[int, str], ...]
SIZES = {kind: (HEAD + length + 3) // 4 * 4 for kind, length in (("id", 64), (".id.new", 69), (".id.old", 69))}


def put(places: Places, kind: str) -> Places:
    """A name at the first place that has room for it."""
    end = DOTS
    for place, other in places:
        if place - end >= SIZES[kind]:
            break
        end = place + SIZES[other]
    return tuple(sorted((*places, (end, kind))))


def moved(places: Places, entry: tuple[int, str], kind: str) -> list[Places]:
    """A rename: the new name first, then the old one goes."""
    both = put(places, kind)
    return [both, tuple(each for each in both if each != entry)]


def following(places: Places, most: int) -> list[list[Places]]:
    """What may be done next: begin an install, finish or give it up, remove a revision; each step of it."""
    kinds = [kind for _, kind in places]
    found = []
    if ".id.new" not in kinds:
        found.append([put(places, ".id.new")])
    for entry in places:
        if entry[1] == ".id.new" and kinds.count("id") < most:
            found.append(moved(places, entry, "id"))
        if entry[1] != ".id.old" and (entry[1] != "id" or kinds.count("id") > 1):
            steps = moved(places, entry, ".id.old")
            found.append([*steps, tuple(each for each in steps[-1] if each[1] != ".id.old")])
    return found


def last_head(most: int) -> int:
    """Where the last name may begin, of all states that a folder with so many installed revisions comes to."""
    seen: set[Places] = set()
    open_ = [put((), "id")]
    last = 0
    while open_:
        places = open_.pop()
        if places in seen:
            continue
        seen.add(places)
        for steps in following(places, most):
            last = max(last, *(place for step in steps for place, _ in step))
            open_.append(steps[-1])
    return last


def test_the_names_of_as_many_as_are_kept_begin_in_the_first_sector() -> None:
    found = re.search(r"#define INSTALLED_MOST (\d+)", (FILES / "install.c").read_text())
    assert found is not None
    assert last_head(int(found[1])) + HEAD <= SECTOR


@pytest.mark.parametrize(("most", "last"), [(2, 248), (5, 464), (6, 536)])
def test_one_more_would_not(most: int, last: int) -> None:
    assert last_head(most) == last
