# SPDX-License-Identifier: MIT
"""Whether KVM truly works here: found out by booting the image with it, and remembered until this machine restarts.

Opening /dev/kvm proves little: inside some virtual machines it opens, and QEMU or the guest's kernel then fails.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
from pathlib import Path

from orchestrator.canonical import write_atomically
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import MachineOptions, binary
from orchestrator.errors import PyContainerError

KVM = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROBE_SECONDS = 20.0
_SUPERVISOR_SPEAKS = r"pycontainer\[ *\d"


def choose(options: MachineOptions, wanted: str = "auto", cache: Path | None = None) -> str:
    """Return kvm or tcg for a machine; `wanted` is auto, kvm or tcg, `cache` the file that keeps the answer.

    With auto, KVM is taken when the manifest allows it, the guest has this machine's architecture, and a boot of the
    image under it reaches the supervisor.
    """
    if wanted != "auto":
        return wanted
    if not options.emulator.kvm or not options.emulator.binary.endswith(f"-{platform.machine()}"):
        return "tcg"
    if not os.access(KVM, os.R_OK | os.W_OK):
        return "tcg"
    cache = cache or _cache_path()
    key = _key(options)
    known = _read(cache)
    if known.get("key") == key and isinstance(known.get("works"), bool):
        return "kvm" if known["works"] else "tcg"
    works = boots(dataclasses.replace(options, accel="kvm", persist=False, forwards=()))
    with contextlib.suppress(OSError):
        write_atomically(cache, json.dumps({"key": key, "works": works}).encode())
    return "kvm" if works else "tcg"


def boots(options: MachineOptions, timeout: float = _PROBE_SECONDS) -> bool:
    """Whether the image's supervisor prints its first line within `timeout` seconds on this machine."""
    try:
        with Machine(options) as machine:
            machine.wait_for(_SUPERVISOR_SPEAKS, timeout)
    except PyContainerError:
        return False
    return True


def _key(options: MachineOptions) -> str:
    program = Path(binary(options.emulator))
    return f"{_BOOT_ID.read_text().strip()} {program.resolve()} {program.stat().st_mtime_ns} {options.emulator.machine}"


def _cache_path() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pycontainer" / "kvm.json"


def _read(cache: Path) -> dict[str, object]:
    try:
        value = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
