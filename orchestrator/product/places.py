# SPDX-License-Identifier: MIT
"""YAML as plain values, read strictly, and where each of them stands: file, line, path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import yaml

from orchestrator.errors import ConfigError
from orchestrator.product.fields import Path as Path_


def read_yaml(path: Path, text: str, what: str, wanted: str, hint: str) -> tuple[yaml.Node, dict[str, Any]]:
    """Return a text's nodes and the mapping that it is; raises ConfigError when it is none.

    `path` is what errors call its file, `what` what it is to be, `wanted` what it has at least.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = None if root is None else _construct(path, root)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        reason = getattr(problem, "problem", None) or str(problem).splitlines()[0]
        raise ConfigError(
            f"{where}: not valid YAML", str(reason), "check indentation, colons and quotes there"
        ) from problem
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: not a {what}", f"a mapping with {wanted} is expected", hint)
    assert root is not None
    return root, value


def _construct(path: Path, root: yaml.Node) -> Any:
    """Build plain values from the node graph, refusing double keys (YAML keeps the last in silence) and alias bombs."""
    seen = 0

    def build(node: yaml.Node, depth: int) -> Any:
        nonlocal seen
        seen += 1
        if depth > 32 or seen > 20_000:
            raise ConfigError(
                f"{path}:{node.start_mark.line + 1}: nested too deeply or too large",
                "no product needs 32 levels or 20000 values",
                "write aliases out, or remove them",
            )
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise ConfigError(
                        f"{path}:{key.start_mark.line + 1}: a key must be a word",
                        "a list or a mapping stands where a key is expected",
                        "check indentation, colons and brackets there",
                    )
                if key.value in result:
                    raise ConfigError(
                        f"{path}:{key.start_mark.line + 1}: the key '{key.value}' stands twice",
                        "the second would replace the first in silence",
                        "remove or rename one of them",
                    )
                result[key.value] = build(value, depth + 1)
            return result
        if isinstance(node, yaml.SequenceNode):
            return [build(item, depth + 1) for item in node.value]
        constructor = yaml.SafeLoader("")
        try:
            # A version such as 1.10 must not become the number 1.1: only whole numbers, booleans and null are typed.
            if node.tag in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"):
                return node.value
            # Nor the ports 53:53 a number to the base of sixty.
            if node.tag == "tag:yaml.org,2002:int" and ":" in node.value:
                return node.value
            return constructor.construct_object(node)
        finally:
            constructor.dispose()

    return build(root, 0)


class Places:
    """Where the values of a text stand; errors name file, line and path."""

    def __init__(self, path: Path, root: yaml.Node, text: str) -> None:
        self.path = path
        self.root = root
        self.lines = text.splitlines()

    def fail(self, path: Path_, reason: str, hint: str, cause: Exception | None = None, why: str = "") -> NoReturn:
        """Raise the error about the value at `path`; without `why` it is the line as it stands in the file."""
        read = self.lines[self.line(path) - 1].strip()[:160] if self.line(path) <= len(self.lines) else ""
        why = why or (f"the line reads: {read}" if read else "it stands nowhere in the file")
        raise ConfigError(f"{self.place(path)}: {reason}", why, hint) from cause

    def place(self, path: Path_) -> str:
        """Return `file:line: path` of a value."""
        dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        return f"{self.path}:{self.line(path)}: {dotted or 'product'}"

    def line(self, path: Path_) -> int:
        """The line of the deepest node on `path` that exists: for a key its own line, not its value's."""
        node = self.root
        line = node.start_mark.line
        for step in path:
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == step:
                        node, line = value, key.start_mark.line
                        break
                else:
                    return int(line) + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line
        return int(line) + 1
