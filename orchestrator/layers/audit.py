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
    reasons = dict(options.reasons)
    reasons |= {name.upper().removeprefix("CAP_"): text for name, text in options.reasons.items()}

    def made(key: str, what: str, one: str = "") -> Relaxation:
        return Relaxation(key, what, reasons.get(one) or reasons.get(key, ""))

    found = []
    if options.network == "host":
        found.append(made("network", "shares the device's network"))
    if options.network == "bridge":
        found.append(made("network", "has an address on the device's bridge"))
    found += [made("ports", f"publishes {port}", port) for port in options.ports]
    for name in sorted({name.upper().removeprefix("CAP_") for name in options.capabilities}):
        found.append(made("capabilities", f"keeps the capability {name}", name))
    if options.seccomp == "unconfined":
        found.append(made("seccomp", "may use every system call"))
    if options.apparmor == "unconfined":
        found.append(made("apparmor", "has no AppArmor profile"))
    if not options.no_new_privileges:
        found.append(made("new_privileges", "may gain privileges by setuid programs and file capabilities"))
    for device in sorted(options.devices, key=lambda device: device.path):
        text = f"may use {device.path} ({device.kind} {device.major}:{device.minor}, {device.access})"
        found.append(made("devices", text, device.path))
    if options.control:
        found.append(made("control", f"may ask the device for {', '.join(options.control)}"))
    return found
