# SPDX-License-Identifier: MIT
"""`pycontainer run --update` and `--stick`: an update of the machine whose console is shown, told in lines between."""

from __future__ import annotations

import time
from pathlib import Path

from orchestrator.bundle import Bundle, open_bundle
from orchestrator.device import DeviceError, Link, parse_transport, try_revision
from orchestrator.device import update as update_device
from orchestrator.device.answers import Installed
from orchestrator.device.protocol import WORK_SECONDS
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.session import Job, Say
from orchestrator.errors import ConfigError
from orchestrator.oci import Store
from orchestrator.revision import Revision

_STICK_SECONDS = 60.0


class _Lines:
    """Tells what happens in lines; how many bytes were sent is of no interest between those of a console."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def say(self, text: str) -> None:
        self._say(f"update: {text}")

    def show(self, phase: str, done: int, total: int) -> None: ...


def job(bundle: Path, store: Path, machine: str = "") -> Job:
    """Return what updates a machine to the revision of a bundle, which must be readable now already.

    `store` is the product's, which knows what the machine has; `machine` is which of a bundle for several is meant.
    """
    with open_bundle(bundle) as opened:
        wanted = _only(opened, machine).id

    def carry_out(running: Machine, say: Say) -> None:
        with Link(parse_transport(f"unix:{running.control_path}")) as link, open_bundle(bundle) as opened:
            known = [Store.open(store)] if (store / "oci-layout").is_file() else []
            revision = opened.select(wanted)
            update_device(link, opened, revision, _Lines(say), go_on=running.running, known=known).check()

    return carry_out


def _only(bundle: Bundle, machine: str) -> Revision:
    """Return a bundle's one revision for a machine; raises ConfigError saying what to give instead of more."""
    found = bundle.revisions()
    if len({each.config.machine for each in found}) > 1 and machine:
        found = [each for each in found if each.config.machine == machine] or [bundle.select(machine=machine)]
    if len(found) > 1:
        there = ", ".join(f"{each.short} ({each.config.version} for {each.config.machine})" for each in found)
        hint = "name the revision in its place, or make a bundle of that one: pycontainer bundle create REV"
        raise ConfigError(f"{bundle.path} has several revisions", there, hint)
    return found[0]


def stick_job(bundle: Path, label: str, machine: str = "") -> Job:
    """Return what lets a machine install the revision of a bundle that is on its stick, and try it."""
    with open_bundle(bundle) as opened:
        revision = _only(opened, machine)

    def carry_out(running: Machine, say: Say) -> None:
        lines = _Lines(say)
        with Link(parse_transport(f"unix:{running.control_path}")) as link:
            installed = _from_stick(link, running, {"label": label, "revision": revision.id})
            lines.say(f"revision {revision.short} is installed from the stick, {installed.copied} blobs copied")
            try_revision(link, revision.id, lines, go_on=running.running).check()

    return carry_out


def _from_stick(link: Link, machine: Machine, wanted: dict[str, str]) -> Installed:
    """Let the device install; it may find the stick only some seconds after its start."""
    deadline = time.monotonic() + _STICK_SECONDS
    while True:
        try:
            return link.ask_for("install", Installed, wanted, timeout=WORK_SECONDS)
        except DeviceError as problem:
            if "no attached disk" not in f"{problem.what} {problem.why}" or time.monotonic() > deadline:
                raise
            if not machine.running():
                raise
        time.sleep(1)
