# SPDX-License-Identifier: MIT
"""Which remotes a product has: `.pycontainer/config` beside its store, in TOML 1.0, read strictly.

    default = "origin"
    [remotes.origin]
    url = "registry.example/shop/device"

The product file's `registry` is the remote `origin` where that file names none: then all who have the product share it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from orchestrator.canonical import read_limited, write_atomically
from orchestrator.errors import ConfigError
from orchestrator.remotes.location import Location, parse_location

CONFIG_NAME = "config"
ORIGIN = "origin"
_LIMIT = 256 * 1024
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*\Z")
_NAME_LIMIT = 32


class _Remote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    default: str = ORIGIN
    remotes: dict[str, _Remote] = {}


@dataclass(frozen=True)
class RemoteEntry:
    """A remote by its name: where it is, and who says so (`config` or `product`)."""

    name: str
    url: str
    origin: str
    root: Path

    @property
    def location(self) -> Location:
        """The registry's repository or the path that is meant; relative paths are the product folder's."""
        return parse_location(self.url, self.root)


@dataclass(frozen=True)
class RemoteConfig:
    """The remotes of a product whose file lies in `root`."""

    root: Path
    remotes: dict[str, RemoteEntry] = field(default_factory=dict)
    default: str = ORIGIN

    @property
    def path(self) -> Path:
        """The file that they are written in."""
        return self.root / ".pycontainer" / CONFIG_NAME

    def named(self, name: str = "") -> RemoteEntry:
        """Return a remote, or the default one; raises ConfigError, naming what there is."""
        wanted = name or self.default
        if wanted in self.remotes:
            return self.remotes[wanted]
        near = difflib.get_close_matches(wanted, self.remotes, n=1)
        there = f"there are: {', '.join(self.remotes)}" if self.remotes else "the product has no remote"
        hint = f"did you mean {near[0]}?" if near else f"add it: pycontainer remote add {wanted} URL"
        raise ConfigError(f"no remote {wanted!r}", there, hint)

    def add(self, name: str, url: str) -> RemoteConfig:
        """Return the configuration with another remote; raises ConfigError for a name or a place out of form."""
        check_name(name)
        if name in self.remotes and self.remotes[name].origin == "config":
            raise ConfigError(
                f"there is a remote {name!r} already",
                f"it is {self.remotes[name].url}",
                f"choose another name, or remove it first: pycontainer remote rm {name}",
            )
        parse_location(url, self.root)
        default = name if not self.remotes else self.default
        return replace(
            self, remotes={**self.remotes, name: RemoteEntry(name, url, "config", self.root)}, default=default
        )

    def remove(self, name: str) -> RemoteConfig:
        """Return the configuration without a remote; raises ConfigError when this file does not name it."""
        if self.named(name).origin != "config":
            raise ConfigError(
                f"the remote {name} is the product file's",
                "its 'registry' says so",
                "take 'registry' out of the product file",
            )
        rest = {key: entry for key, entry in self.remotes.items() if key != name}
        default = self.default if self.default != name else next(iter(rest), ORIGIN)
        return replace(self, remotes=rest, default=default)

    def write(self) -> None:
        """Put the file in place of what is there."""
        lines = [f"default = {_text(self.default)}\n"]
        for entry in sorted(self.remotes.values(), key=lambda each: each.name):
            if entry.origin == "config":
                lines.append(f"\n[remotes.{_text(entry.name)}]\nurl = {_text(entry.url)}\n")
        write_atomically(self.path, "".join(lines).encode())


def check_name(name: str) -> None:
    """Raise ConfigError unless `name` can be a remote's: it becomes part of tags."""
    if not _NAME.match(name) or len(name) > _NAME_LIMIT:
        raise ConfigError(
            f"not the name of a remote: {name[:80]!r}",
            f"lower-case letters and digits, joined by single . _ or -, {_NAME_LIMIT} characters at most",
            "choose another name, for example origin",
        )


def load_remotes(root: Path, registry: str | None = None) -> RemoteConfig:
    """Return the remotes of the product in the folder `root`, whose product file says `registry`.

    Raises ConfigError for a file that is damaged or says what it cannot mean.
    """
    path = root / ".pycontainer" / CONFIG_NAME
    try:
        data = read_limited(path, _LIMIT)
    except FileNotFoundError:
        data = b""
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", problem.strerror or "", "mend its permissions") from problem
    try:
        if len(data) > _LIMIT:
            raise ValueError(f"larger than {_LIMIT} bytes")
        found = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (ValueError, RecursionError) as problem:  # those of tomllib, msgspec and UTF-8 are ValueErrors
        raise ConfigError(
            f"{path} is damaged", str(problem)[:200], "mend it, or remove it and add the remotes"
        ) from None
    remotes = {}
    if registry is not None and ORIGIN not in found.remotes:
        remotes[ORIGIN] = RemoteEntry(ORIGIN, registry, "product", root)
    for name, entry in found.remotes.items():
        check_name(name)
        remotes[name] = RemoteEntry(name, entry.url, "config", root)
    return RemoteConfig(root, remotes, found.default)


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, which wants the control character DEL escaped as well."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
