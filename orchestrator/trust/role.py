# SPDX-License-Identifier: MIT
"""Roles: who may say what, and how many of them must agree (the roles of TUF, specification 1.0.33, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.trust.public import PublicKey

RoleName = Literal["root", "channel", "revision"]
ROLES: tuple[RoleName, ...] = ("root", "channel", "revision")
"""root: says which keys the roles have; channel: says which revision a channel stands for; revision: what may run."""


@dataclass(frozen=True)
class Role:
    """The keys of a role, sorted by id, and how many different ones must sign."""

    name: RoleName
    keys: tuple[PublicKey, ...]
    threshold: int

    def has(self, keyid: str) -> bool:
        """True when a key is of this role."""
        return any(key.keyid == keyid for key in self.keys)
