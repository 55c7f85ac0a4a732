# SPDX-License-Identifier: MIT
"""A program that crun could not start has the status that a shell gives it."""

from __future__ import annotations

import pytest

from orchestrator.device.unstarted import Unstarted

# The words of crun 1.21.
MISSING = b"executable file `/nosuch` not found: No such file or directory\n"
IN_PATH = b"executable file `nosuch` not found in $PATH: No such file or directory\n"
PLAIN = b"the path `/plain` exists but it is not executable: Operation not permitted\n"
FOLDER = b"the path `/bin` is not a regular file: Operation not permitted\n"
BELOW = b"cannot open `/bin/sh/x`: Not a directory\n"


@pytest.mark.parametrize(
    ("heard", "status", "shown"),
    [
        ([("err", MISSING)], 255, 127),
        ([("err", IN_PATH)], 255, 127),
        ([("err", IN_PATH[:9]), ("err", IN_PATH[9:])], 255, 127),
        ([("err", PLAIN)], 255, 126),
        ([("err", FOLDER)], 255, 126),
        ([("err", BELOW)], 255, 126),
        # What a program says itself, and what it ends with.
        ([("err", MISSING)], 1, 1),
        ([("err", b"x" + MISSING)], 255, 255),
        ([("err", MISSING), ("err", b"more\n")], 255, 255),
        ([("out", b"out\n"), ("err", MISSING)], 255, 255),
        ([("err", b"lost\n")], 255, 255),
        ([("err", b"y" * 100_000)], 255, 255),
        ([], 255, 255),
        ([], 0, 0),
    ],
)
def test_the_status_is_a_shells_for_what_could_not_be_started(heard, status, shown):
    passed: list[tuple[str, bytes]] = []
    unstarted = Unstarted(lambda name, data: passed.append((name, data)))
    for name, data in heard:
        unstarted.hear(name, data)
    assert unstarted.status(status) == shown
    assert passed == heard
