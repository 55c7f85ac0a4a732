# SPDX-License-Identifier: MIT
"""The note that a running machine leaves, so that other commands find its control port."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.canonical import canonical_json, read_limited, write_atomically
from orchestrator.emulator.machine import Machine
from orchestrator.errors import ConfigError

_LIMIT = 4096


@contextlib.contextmanager
def noted(note: Path | None, machine: Machine) -> Iterator[None]:
    """Keep a note of a started machine at `note` while the block runs; a later machine's note is left alone."""
    if note is None:
        yield
        return
    data = canonical_json({"control": str(machine.control_path), "pid": machine.pid})
    write_atomically(note, data)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if read_limited(note, _LIMIT) == data:
                note.unlink()


def the_running(notes: Mapping[str, Path]) -> Path:
    """Return the control port's socket of the one machine that runs; `notes` are those of a product's machines by name.

    Raises ConfigError when none runs, or several do.
    """
    found: dict[str, Path] = {}
    problem: ConfigError | None = None
    for machine, note in notes.items():
        try:
            found[machine] = control_socket(note)
        except ConfigError as caught:
            problem = problem or caught
    if len(found) > 1:
        ways = [f"--to unix:{socket}" for socket in found.values()]
        raise ConfigError(
            "several virtual machines of this product run", ", ".join(found), f"name one: {' or '.join(ways)}"
        )
    if problem is not None and not found:
        raise problem
    return next(iter(found.values()))


def control_socket(note: Path) -> Path:
    """Return the control port's socket of the machine that runs; raises ConfigError when none does."""
    try:
        value = json.loads(read_limited(note, _LIMIT))
        socket, process = Path(value["control"]), int(value["pid"])
        os.kill(process, 0)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as problem:
        raise ConfigError(
            "no virtual machine of this product runs",
            f"{note.name} is not there or out of date",
            "start it in another terminal (pycontainer run), or name a device with --to",
        ) from problem
    return socket
