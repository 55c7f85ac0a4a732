# SPDX-License-Identifier: MIT
"""The layers' names of services: the same words in small letters, each once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.errors import ConfigError

_LAYER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TAKEN = ("bootloader", "bsp", "host")


def layer_names(services: Sequence[str]) -> dict[str, str]:
    """Return the layer's name of each service; raises ConfigError for what can be none, and for two of one name."""
    found: dict[str, str] = {}
    for service in services:
        name = service.lower()
        if not _LAYER.fullmatch(name) or name in _TAKEN:
            taken = name in _TAKEN
            why = "it belongs to the base's own layer" if taken else "a layer's name begins with a letter or digit"
            raise ConfigError(f"the service {service} cannot become a layer of that name", why, "rename the service")
        if other := next((each for each, known in found.items() if known == name), None):
            raise ConfigError(
                f"the services {other} and {service} would both be the layer {name}",
                "a layer's name has small letters only",
                "rename one of them, or import one: --service NAME",
            )
        found[service] = name
    return found
