# SPDX-License-Identifier: MIT
"""The tags by which heads, pointers and what was last seen of a remote are found, in stores and in registries.

A registry's tag may have no slash (distribution-spec, pulling manifests), so there the parts are joined by dots; the
name of a channel has none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestrator.history.names import check_channel
from orchestrator.revision.parts import CHANNEL, CHANNEL_LIMIT

MAIN = "main"
_MACHINE = r"[a-z0-9][a-z0-9._-]{0,62}"
_IN_REGISTRY = re.compile(rf"channel\.({CHANNEL})\.({_MACHINE})\Z")
_IN_STORE = re.compile(rf"channel\.pointer/({CHANNEL})/({_MACHINE})\Z")
_HEAD = re.compile(rf"channel/({CHANNEL})/({_MACHINE})\Z")
_ROOT = re.compile(r"root[./]([1-9][0-9]{0,8})\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_OURS = re.compile(r"channel\.|root\.[0-9]+\Z|revision-[0-9a-f]{64}\Z|sha256-[0-9a-f]{64}(?:\.[a-z]+)?\Z")


class Channel(NamedTuple):
    """A channel of a machine."""

    name: str
    machine: str

    @property
    def head(self) -> str:
        """The store's tag of its local head: a revision."""
        return f"channel/{self.name}/{self.machine}"

    @property
    def pointer(self) -> str:
        """The store's tag of its signed pointer."""
        return f"channel.pointer/{self.name}/{self.machine}"

    @property
    def in_registry(self) -> str:
        """A registry's tag of its signed pointer."""
        return f"channel.{self.name}.{self.machine}"

    def seen(self, remote: str) -> str:
        """The store's tag of the revision that it last stood for at a remote."""
        return f"remote/{remote}/{self.name}/{self.machine}"

    def __str__(self) -> str:
        return f"{self.name} ({self.machine})"


def channel(name: str, machine: str) -> Channel:
    """Return a channel by the name that a user gave; raises ConfigError when it cannot be one."""
    check_channel(name)
    return Channel(name, machine)


def channel_in_registry(tag: str) -> Channel | None:
    """Return the channel whose pointer a registry's tag stands for, or None."""
    match = _IN_REGISTRY.match(tag)
    return _found(match)


def channel_in_store(tag: str) -> Channel | None:
    """Return the channel whose pointer a store's tag stands for, or None."""
    match = _IN_STORE.match(tag)
    return _found(match)


def head_in_store(tag: str) -> Channel | None:
    """Return the channel whose head a store's tag stands for, or None."""
    match = _HEAD.match(tag)
    return _found(match)


def _found(match: re.Match[str] | None) -> Channel | None:
    return Channel(match[1], match[2]) if match and len(match[1]) <= CHANNEL_LIMIT else None


def root_number(tag: str) -> int | None:
    """Return the number of the root document that a tag stands for, `root.N` or `root/N`, or None."""
    match = _ROOT.match(tag)
    return int(match[1]) if match else None


def is_users(tag: str) -> bool:
    """Whether a tag is one that people set: not ours, and such as a registry takes."""
    return _USER.match(tag) is not None and not _OURS.match(tag)
