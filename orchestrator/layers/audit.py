# SPDX-License-Identifier: MIT
"""Which of the default confinements a layer gives up, and why, for the summary and the audit."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.layers.options import RunOptions


@dataclass(frozen=True)
class Relaxation:
    """One confinement given up: `key` is the key of the product file, `reason` what it says there (may be empty)."""

    key: str
    what: str
    reason: str


def relaxations(options: RunOptions) -> list[Relaxation]:
    """Return what `options` allow beyond the defaults, in a fixed order."""
    found: list[tuple[str, str]] = []
    if options.network == "host":
        found.append(("network", "shares the device's network"))
    found += [("capabilities", f"keeps the capability {name}") for name in sorted(options.capabilities)]
    if options.seccomp == "unconfined":
        found.append(("seccomp", "may use every system call"))
    if not options.no_new_privileges:
        found.append(("no_new_privileges", "may gain privileges by setuid programs and file capabilities"))
    found += [
        ("devices", f"may use {device.path} ({device.kind} {device.major}:{device.minor}, {device.access})")
        for device in sorted(options.devices, key=lambda device: device.path)
    ]
    return [Relaxation(key, what, options.reasons.get(key, "")) for key, what in found]
