# SPDX-License-Identifier: MIT
"""Where a registry's images really lie: containers-registries.conf(5), version 2, read as every container tool does."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.registry.hub import served_at
from orchestrator.registry.reference import Reference, Repository, parse_repository

_LIMIT = 1024 * 1024
_SYSTEM = Path("/etc/containers")


class _Mirror(msgspec.Struct, frozen=True, rename="kebab"):
    location: str
    insecure: bool = False
    pull_from_mirror: Literal["all", "digest-only", "tag-only", ""] = ""


class _Registry(msgspec.Struct, frozen=True, rename="kebab"):
    prefix: str = ""
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirror: list[_Mirror] = []
    mirror_by_digest_only: bool = False

    @property
    def key(self) -> str:
        return (self.prefix or self.location).rstrip("/")


class _File(msgspec.Struct, frozen=True):
    registry: list[_Registry] = []


@dataclass(frozen=True)
class Place:
    """One server that may have an image: its repository there, and whether TLS may be missing or unverified."""

    repository: Repository
    insecure: bool = False


class Places:
    """The configuration of registries that is in force."""

    def __init__(self, registries: Mapping[str, _Registry]) -> None:
        self._registries = registries

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Places:
        """Read the configuration files; raises ConfigError for one that is damaged."""
        found: dict[str, _Registry] = {}
        for path in _files(os.environ if environment is None else environment):
            for each in _read(path):
                found[each.key] = each
        return cls(found)

    def to_pull(self, reference: Reference) -> list[Place]:
        """Return where to ask for an image, in order: the mirrors, then the registry itself.

        Raises ConfigError when the configuration blocks it.
        """
        entry = self._entry(reference.repository)
        if entry is None:
            return [Place(served_at(reference.repository))]
        self._refuse_blocked(entry, reference.repository)
        found = []
        for mirror in entry.mirror:
            when = mirror.pull_from_mirror or ("digest-only" if entry.mirror_by_digest_only else "all")
            if when == "all" or (when == "digest-only") == reference.pinned:
                found.append(Place(_moved(reference.repository, entry.key, mirror.location), mirror.insecure))
        return [*found, Place(_moved(reference.repository, entry.key, entry.location), entry.insecure)]

    def to_push(self, repository: Repository) -> Place:
        """Return where to write: mirrors are for reading only."""
        entry = self._entry(repository)
        if entry is None:
            return Place(served_at(repository))
        self._refuse_blocked(entry, repository)
        return Place(_moved(repository, entry.key, entry.location), entry.insecure)

    def _refuse_blocked(self, entry: _Registry, repository: Repository) -> None:
        if entry.blocked:
            raise ConfigError(
                f"the registry of {repository} is blocked",
                f"registries.conf says so of {entry.key}",
                "use an image of another registry, or change that file",
            )

    def _entry(self, repository: Repository) -> _Registry | None:
        """Return the entry with the longest prefix; of a wildcard only the part behind its star counts as length."""
        best: tuple[int, _Registry] | None = None
        for key, entry in self._registries.items():
            if _within(repository, key) and (best is None or len(key.removeprefix("*")) > best[0]):
                best = (len(key.removeprefix("*")), entry)
        return best[1] if best else None


def _within(repository: Repository, prefix: str) -> bool:
    if prefix.startswith("*."):
        return repository.hostname.endswith(prefix[1:]) or repository.host.endswith(prefix[1:])
    name = str(repository)
    return name == prefix or name.startswith(prefix + "/")


def _moved(repository: Repository, prefix: str, location: str) -> Repository:
    """Return the repository with `location` in place of `prefix`; without a location it is itself."""
    if not location or prefix.startswith("*."):
        return served_at(repository)
    return served_at(parse_repository(location.rstrip("/") + str(repository).removeprefix(prefix)))


def _files(environment: Mapping[str, str]) -> list[Path]:
    config = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "/") / ".config") / "containers"
    if own := environment.get("CONTAINERS_REGISTRIES_CONF"):
        return [Path(own)]
    users = config / "registries.conf"
    dropped = sorted((config / "registries.conf.d").glob("*.conf"))
    if users.exists():
        return [users, *dropped]
    return [_SYSTEM / "registries.conf", *sorted((_SYSTEM / "registries.conf.d").glob("*.conf")), *dropped]


def _read(path: Path) -> list[_Registry]:
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise ConfigError(f"{path} is too large", f"the limit is {_LIMIT} bytes")
        value: dict[str, Any] = tomllib.loads(data.decode())
        if isinstance(value.get("registries"), dict):  # version 1: lists of names, no mirrors
            raise ConfigError(
                f"{path} has the form of version 1",
                "its table [registries] is deprecated, and can name no mirror",
                "write [[registry]] tables instead; see containers-registries.conf(5)",
            )
        found = msgspec.convert(value, _File).registry
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", problem.strerror or "", "mend its permissions") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, RecursionError) as problem:
        raise ConfigError(f"{path} is damaged", str(problem)[:200], "see containers-registries.conf(5)") from problem
    for each in found:
        if not each.key or (each.prefix.startswith("*.") and "/" in each.prefix):
            raise ConfigError(
                f"{path} has a [[registry]] without a usable prefix or location",
                each.key or "both are missing",
                "see containers-registries.conf(5)",
            )
    return found
