# SPDX-License-Identifier: MIT
"""What becomes of one service: a layer in the words of the product file, and what happened to each key."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import ConfigError

Status = Literal["honoured", "needless", "refused", "left out"]
Value = Any
"""What YAML holds: mappings, lists, texts and None; numbers and booleans are texts here, as they were written."""


@dataclass(frozen=True)
class Entry:
    """What happened to the key at `path`, such as web.healthcheck.test; `why` may be empty where it is honoured."""

    path: str
    status: Status
    why: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Refused:
    """The rule for a key that is not honoured: why not, and what to do instead."""

    why: str
    hint: str = ""


@dataclass(frozen=True)
class Needless:
    """The rule for a key that changes nothing on a device."""

    why: str


class WrongValue(ConfigError):
    """A value that is not what the Compose Specification has there, or that a layer cannot have."""


def wrong(path: str, why: str, hint: str = "see the Compose Specification") -> WrongValue:
    """Return the error about the value at `path`; the importer turns it into a refusal of that key."""
    return WrongValue(path, why, hint)


@dataclass(frozen=True)
class Surroundings:
    """What all services of one compose file share.

    `file` and `root` are the compose file and the product's folder; `variables` what `${...}` may name; `top` the
    file's other mappings (volumes, secrets, configs, networks); `services` the layer of each service that is imported,
    `known` all services of the file; `images` what services are made of instead (`from` of a layer), `registry` what
    completes an image's name without a registry.
    """

    file: Path
    root: Path
    variables: Mapping[str, str]
    top: Mapping[str, Mapping[str, Value]]
    services: Mapping[str, str]
    known: frozenset[str]
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    registry: str = ""
    keep_defaults: bool = False


@dataclass
class Draft:
    """A layer that is being written; `tightened` says what a program may miss, and what whoever reviews it must know;
    `files` holds files to write beside the product file, by path, `volumes` the names of the volumes that it has."""

    service: str
    around: Surroundings
    layer: dict[str, Value] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    tightened: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    facts: dict[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.around.services[self.service]

    def tell(self, path: str, status: Status, why: str = "", hint: str = "") -> None:
        """Record what became of a key."""
        self.entries.append(Entry(path, status, why, hint))

    def refuse(self, path: str, why: str, hint: str = "") -> None:
        """Record that a key is not honoured."""
        self.tell(path, "refused", why, hint)

    def add(self, key: str, value: Value) -> None:
        """Append to a list of the layer."""
        self.layer.setdefault(key, []).append(value)

    def relax(self, key: str, **granted: Value) -> None:
        """Write a relaxation that says where it comes from, so that the audit shows that nobody has reviewed it."""
        reason = f"to be reviewed: imported from {self.around.file.name}, {self.service}.{key}"
        self.add("relax", {**granted, "reason": reason})


Handler = Callable[[Draft, str, Value], None]
Rule = Handler | Refused | Needless
Reader = Callable[[str, Value], Value]


def into(target: dict[str, Value], key: str, read: Reader) -> Handler:
    """The rule that keeps what `read` makes of a value under a key of a mapping."""

    def rule(draft: Draft, path: str, value: Value) -> None:
        target[key] = read(path, value)

    return rule


def into_layer(key: str, read: Reader) -> Handler:
    """The rule that keeps what `read` makes of a value under a key of the layer."""

    def rule(draft: Draft, path: str, value: Value) -> None:
        draft.layer[key] = read(path, value)

    return rule


def attempt(draft: Draft, path: str, rule: Handler, value: Value) -> None:
    """Carry out one rule: a wrong value is refused, and what records nothing is honoured."""
    before = len(draft.entries)
    try:
        rule(draft, path, value)
    except WrongValue as problem:
        draft.refuse(problem.what, problem.why, problem.hint)
    if not any(each.path.startswith(path) for each in draft.entries[before:]):
        draft.tell(path, "honoured")


def attempt_each(draft: Draft, path: str, value: Value, rule: Handler) -> None:
    """Carry out a rule for each item of a list, or for the one value that stands in its place."""
    for position, item in enumerate(value if isinstance(value, list) else [value]):
        attempt(draft, f"{path}[{position}]" if isinstance(value, list) else path, rule, item)


def follow(draft: Draft, where: str, mapping: Value, rules: Mapping[str, Rule]) -> None:
    """Carry out the rule of each key of a mapping; what has none is refused by name, an extension (x-...) is nothing.

    A rule records what became of its key, or of the parts of it; if it records nothing, the key is honoured.
    """
    if not isinstance(mapping, Mapping):
        raise wrong(where, "keys with values are expected")
    for key, value in mapping.items():
        path = f"{where}.{key}"
        if key.startswith("x-"):
            draft.tell(path, "needless", "an extension field, which means nothing by itself")
            continue
        rule = rules.get(key)
        if rule is None:
            near = difflib.get_close_matches(key, rules, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "remove it"
            draft.refuse(path, "the Compose Specification has no such key", hint)
        elif isinstance(rule, Refused):
            draft.refuse(path, rule.why, rule.hint)
        elif isinstance(rule, Needless):
            draft.tell(path, "needless", rule.why)
        else:
            attempt(draft, path, rule, value)
