# SPDX-License-Identifier: MIT
"""`pycontainer run --update`: an update of the machine whose console is shown, told in lines between its own."""

from __future__ import annotations

from pathlib import Path

from orchestrator.bundle import open_bundle
from orchestrator.device import Link, parse_transport
from orchestrator.device import update as update_device
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.session import Job, Say
from orchestrator.oci import Store


class _Lines:
    """Tells what happens in lines; how many bytes were sent is of no interest between those of a console."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def say(self, text: str) -> None:
        self._say(f"update: {text}")

    def show(self, phase: str, done: int, total: int) -> None: ...


def job(bundle: Path, store: Path) -> Job:
    """Return what updates a machine to the revision of a bundle, which must be readable now already.

    `store` is the product's, which knows what the machine has.
    """
    with open_bundle(bundle) as opened:
        opened.select()

    def carry_out(machine: Machine, say: Say) -> None:
        with Link(parse_transport(f"unix:{machine.control_path}")) as link, open_bundle(bundle) as opened:
            known = [Store.open(store)] if (store / "oci-layout").is_file() else []
            update_device(link, opened, opened.select(), _Lines(say), go_on=machine.running, known=known).check()

    return carry_out
