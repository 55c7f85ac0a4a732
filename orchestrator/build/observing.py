# SPDX-License-Identifier: MIT
"""What the product file has observed of a container, in the words of the revision."""

from __future__ import annotations

from orchestrator.errors import ConfigError
from orchestrator.product.observation import Observe as ProductObserve
from orchestrator.revision import Declared, Health, Observe, Peer


def observed(name: str, observe: ProductObserve | None, health: Health | None) -> Observe | None:
    """Return the entry of a container, or None when nothing of it is observed.

    Raises ConfigError when its own health check would be taken for what it must not do, and stop it.
    """
    if observe is None:
        return None
    allow = observe.allow
    if observe.exec == "stop" and health is not None and isinstance(health.command, list):
        _check_probe(name, health.command[0], allow.exec)
    return Observe(
        exec=observe.exec,
        connect=observe.connect,
        write=observe.write,
        allow=Declared(
            exec=list(allow.exec),
            connect=[Peer(address=each.address, port=each.port, protocol=each.protocol) for each in allow.connect],
            write=list(allow.write),
        ),
    )


def _check_probe(name: str, program: str, declared: list[str]) -> None:
    """The device finds a program that is named without a folder in one of several: any that is declared will do."""
    for entry in declared:
        if program == entry or (entry.endswith("/") and program.startswith(entry)):
            return
        if "/" not in program and (entry.endswith("/") or entry.rpartition("/")[2] == program):
            return
    raise ConfigError(
        f"the layer {name} would be stopped by its own health check",
        f"it runs {program}, which 'observe' does not declare",
        "add it, and what it runs, to 'observe: {allow: {exec: [...]}}', or check a port by 'tcp' or 'http'",
    )
