# SPDX-License-Identifier: MIT
"""Which of the default confinements a layer gives up, and why, for the summary and the audit."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.layers.init import capabilities_of
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
    own = set(options.capabilities)
    for name in sorted({each.removeprefix("CAP_") for each in capabilities_of(options) if each not in own}):
        found.append(Relaxation("init", f"keeps the capability {name}", f"{options.init}, its own init, needs it"))
    if options.init is not None:
        what = "makes control groups below its own"
        found.append(Relaxation("init", what, f"{options.init} limits its services by them"))
    if options.lxc_template is not None:
        what = f"is confined by the LXC template {options.lxc_template.name} instead of ours"
        found.append(Relaxation("lxcTemplate", what, "lxcTemplate in the product file"))
    if options.seccomp == "unconfined":
        found.append(made("seccomp", "may use every system call"))
    if not options.no_new_privileges:
        found.append(made("no_new_privileges", "may gain privileges by setuid programs and file capabilities"))
    for device in sorted(options.devices, key=lambda device: device.path):
        text = f"may use {device.path} ({device.kind} {device.major}:{device.minor}, {device.access})"
        found.append(made("devices", text, device.path))
    if options.control:
        found.append(made("control", f"may ask the device for {', '.join(options.control)}"))
    return found
