# SPDX-License-Identifier: MIT
"""Reading a compose file: YAML with anchors and merge keys into mappings, lists, texts and None.

A plain scalar stays the text that it is: Compose files give modes such as 0440, ports such as 22:22 and versions such
as 1.10, which YAML 1.1 takes for something else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import yaml

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError

_LIMIT = 1024 * 1024
_NODES = 50_000
_DEPTH = 40
_NULL = ("", "~", "null", "Null", "NULL")


def read_compose(path: Path) -> dict[str, Any]:
    """Return the mapping that a compose file holds; raises ConfigError naming file and line of what is wrong."""
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise ConfigError(f"{path} is too large", f"the limit is {_LIMIT} bytes", "name a compose file")
        root = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", problem.strerror or "", "name a compose file") from problem
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} cannot be read", str(problem), "write it as UTF-8 text") from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        reason = getattr(problem, "problem", None) or str(problem).splitlines()[0]
        raise ConfigError(f"{where}: not valid YAML", str(reason), "check indentation, colons and quotes") from problem
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}: not a compose file", "a mapping with 'services' is expected", "name another file")
    return cast(dict[str, Any], _Builder(path).build(root, 0))


class _Builder:
    """Plain values from nodes; an alias counts each time, so that a few lines cannot become gigabytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = 0

    def fail(self, node: yaml.Node, reason: str, hint: str) -> ConfigError:
        return ConfigError(f"{self.path}:{node.start_mark.line + 1}: {reason}", "", hint)

    def build(self, node: yaml.Node, depth: int) -> Any:
        self.seen += 1
        if depth > _DEPTH or self.seen > _NODES:
            raise self.fail(node, "nested too deeply, or too large by its aliases", "write it out")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, depth + 1) for item in node.value]
        if node.tag.startswith("!") and not node.tag.startswith("!!"):
            raise self.fail(node, f"the tag {node.tag} belongs to several files", "write the value out")
        plain = getattr(node, "style", None) is None
        return None if plain and node.value in _NULL else node.value

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        if node.tag.startswith("!"):
            raise self.fail(node, f"the tag {node.tag} belongs to several files", "write the value out")
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fail(key, "a key must be a word", "check indentation and brackets")
            if key.value == "<<" and getattr(key, "style", None) is None:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    found = self.build(part, depth + 1)
                    if not isinstance(found, dict):
                        raise self.fail(part, "<< merges mappings only", "name the anchor of a mapping")
                    merged = found | merged  # the first of several wins
            elif key.value in own:
                raise self.fail(key, f"the key '{key.value}' stands twice", "remove or rename one of them")
            else:
                own[key.value] = self.build(value, depth + 1)
        return merged | own


def overrides(file: Path) -> list[str]:
    """Return the names of the files that an engine merges into this one by their names, when none is named to it."""
    if not re.fullmatch(r"(docker-)?compose\.ya?ml", file.name):
        return []
    names = sorted(place.name for place in file.parent.glob("*compose.override.y*ml"))
    return [name for name in names if re.fullmatch(r"(docker-)?compose\.override\.ya?ml", name)]
