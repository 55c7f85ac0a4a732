# SPDX-License-Identifier: MIT
"""Reading the small YAML files of compliance (curations, policies) strictly: typed, bounded, no key twice."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from orchestrator.errors import ConfigError

T = TypeVar("T")
_DEPTH = 16
_VALUES = 200_000
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


class _Loader(yaml.SafeLoader):
    """Text stays text: no dates, no floats (a version 1.10 is not 1.1), no numbers to the base of sixty."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def decode(data: bytes, type: type[T], path: Path, *, limit: int, hint: str) -> T:
    """Return a YAML file's content as a value of a msgspec `type`; raises ConfigError naming file, line and path.

    Whole numbers come as text and are converted where the type asks for one.
    """
    if len(data) > limit:
        raise ConfigError(f"{path} is too large", f"the limit is {limit} bytes", hint)
    try:
        root = yaml.compose(data.decode(), Loader=_Loader)
        value = {} if root is None else _plain(path, root, hint)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        reason = str(getattr(problem, "problem", None) or str(problem).splitlines()[0])
        raise ConfigError(f"{where}: not valid YAML", reason, "check indentation, colons and quotes there") from problem
    try:
        return msgspec.convert(value, type, strict=False)
    except msgspec.ValidationError as problem:
        message = str(problem)
        raise ConfigError(f"{path}: {message}", _near(message, type), hint) from problem


def _near(message: str, kind: Any) -> str:
    """Say what an unknown key was perhaps meant to be; any field of the struct or of the structs in it may be."""
    unknown = _UNKNOWN.search(message)
    if not unknown:
        return "the value there does not fit"
    names: set[str] = set()
    waiting, seen = [kind], set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        waiting += getattr(each, "__args__", ())
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            for field in msgspec.structs.fields(each):
                names.add(field.encode_name)
                waiting.append(field.type)
    close = difflib.get_close_matches(unknown[1], sorted(names), n=1)
    return f"did you mean '{close[0]}'?" if close else "there is no such key"


def _plain(path: Path, root: yaml.Node, hint: str) -> Any:
    seen = 0

    def build(node: yaml.Node, depth: int) -> Any:
        nonlocal seen
        seen += 1
        if depth > _DEPTH or seen > _VALUES:
            raise ConfigError(f"{path}:{node.start_mark.line + 1}: nested too deeply or too large", "", hint)
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise ConfigError(f"{path}:{key.start_mark.line + 1}: a key must be a word", "", hint)
                if key.value in result:
                    line = key.start_mark.line + 1
                    raise ConfigError(f"{path}:{line}: the key '{key.value}' stands twice", "", hint)
                result[key.value] = build(value, depth + 1)
            return result
        if isinstance(node, yaml.SequenceNode):
            return [build(item, depth + 1) for item in node.value]
        if node.tag == "tag:yaml.org,2002:null":
            return None
        if node.tag == "tag:yaml.org,2002:bool":
            return node.value.lower() in ("yes", "true", "on")
        return node.value

    return build(root, 0)
