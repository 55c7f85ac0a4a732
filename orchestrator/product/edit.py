# SPDX-License-Identifier: MIT
"""Changing the layers of a product file as a person would: the lines of a layer come, go or change, and every other
byte stays as it is, comments and spacing included.

The places are those that the YAML parser tells. What comes out is parsed again, and refused unless it says what it said
before but for the change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.canonical import write_atomically
from orchestrator.errors import ConfigError
from orchestrator.product.load import parse_product, read_product_text
from orchestrator.product.model import Product
from orchestrator.product.yamltext import entry

Change = Callable[[str], str]


def edit_product(path: Path, change: Change) -> Product:
    """Apply a change to a product file, in one write; returns the product that it describes then.

    Raises ConfigError, naming line and path, when the result would be wrong; the file is then as it was.
    """
    before = read_product_text(path)
    after, product = _changed(path, before, change)
    if after != before:
        mode = path.stat().st_mode & 0o777
        write_atomically(Path(os.path.realpath(path)), after.encode(), mode=mode)
    return product


def try_edit(path: Path, change: Change) -> Product:
    """Return the product that `edit_product` would make, writing nothing; raises what that would."""
    return _changed(path, read_product_text(path), change)[1]


def _changed(path: Path, before: str, change: Change) -> tuple[str, Product]:
    after = change(before)
    # The line that is wrong is perhaps none of the file's yet.
    return after, parse_product(path.with_name(f"{path.name} (with the change)"), after)


def add_layers(layers: Mapping[str, Mapping[str, Any]], replace: bool = False, hint: str = "") -> Change:
    """Return the change that writes layers behind those that are there, in the words of the product file.

    One that is there already is refused, with `hint` as what to do, or with `replace` written anew in its place.
    """

    def change(text: str) -> str:
        for name, value in layers.items():
            if name in _File(text).names and not replace:
                raise ConfigError(
                    f"the product has a layer {name} already",
                    "its settings would be lost",
                    hint or f"choose another name, or remove it first: pycontainer app rm {name}",
                )
            text = _put(text, name, value)
        return text

    return change


def remove_layer(name: str) -> Change:
    """Return the change that takes a layer away, with the comment directly above it; raises ConfigError for none."""

    def change(text: str) -> str:
        file = _File(text)
        start, end = file.place_of(name)
        start = file.comment_above(start, file.column)
        if file.blank_above(start):
            end = file.skip_blank(end)
        result = text[:start] + text[end:]
        return _checked(text, result, lambda value: value["layers"].pop(name))

    return change


def _put(text: str, name: str, value: Mapping[str, Any]) -> str:
    file = _File(text)
    plain = yaml.load(entry("layer", value, 0), yaml.BaseLoader)["layer"]

    def expect(whole: dict[str, Any]) -> None:
        whole["layers"] = (whole.get("layers") or {}) | {name: plain}

    if name in file.names:
        start, end = file.place_of(name)
        block = file.lines(entry(name, value, file.column, file.step, block=True))
        return _checked(text, text[:start] + block + text[end:], expect)
    at, gap, head = file.end_of_layers()
    block = file.lines(head + entry(name, value, file.column, file.step, block=True))
    if (at > 0 and text[at - 1] not in "\r\n") or gap:
        block = file.newline + block
    return _checked(text, text[:at] + block + text[at:], expect)


def _checked(before: str, after: str, expect: Callable[[dict[str, Any]], object]) -> str:
    """Return `after` when it says what `before` says with the expected change."""
    wanted = yaml.load(before, yaml.BaseLoader) or {}
    expect(wanted)
    try:
        found = yaml.load(after, yaml.BaseLoader)
    except yaml.YAMLError:
        found = None
    if found != wanted:
        raise ConfigError(
            "the product file cannot be changed without changing more than the layer",
            "it uses anchors, or a form of YAML in which a layer has no lines of its own",
            "write the layer by hand; see docs/product-file.md",
        )
    return after


class _File:
    """Where the layers of a product file stand in its text; indexes count characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as problem:
            raise ConfigError("the product file is not valid YAML", str(problem).splitlines()[0], "mend it") from None
        if not isinstance(root, yaml.MappingNode) or root.flow_style:
            raise ConfigError("the product file is no mapping of one key a line", "", "see docs/product-file.md")
        self.root = root
        pairs = [(key, value) for key, value in root.value if key.value == "layers"]
        self.key = pairs[0][0] if pairs else None
        self.layers: yaml.Node | None = pairs[0][1] if pairs else None
        mapping = self.layers if isinstance(self.layers, yaml.MappingNode) else None
        if mapping is not None and mapping.flow_style and mapping.value:
            raise ConfigError(
                "the layers of the product file stand in braces",
                "a layer has no lines of its own there",
                "write them below each other, as in docs/product-file.md",
            )
        self.pairs: list[tuple[yaml.Node, yaml.Node]] = mapping.value if mapping is not None else []
        self.names = [key.value for key, _ in self.pairs]
        base = self.key.start_mark.column if self.key is not None else 0
        self.column = self.pairs[0][0].start_mark.column if self.pairs else base + 2
        self.step = max(1, self.column - base)

    def lines(self, block: str) -> str:
        """The text with the file's own line ends."""
        return block.replace("\n", self.newline)

    def place_of(self, name: str) -> tuple[int, int]:
        """Where a layer's lines begin and end."""
        for position, (key, value) in enumerate(self.pairs):
            if key.value == name:
                start = key.start_mark.index - key.start_mark.column
                following = self.pairs[position + 1 :]
                limit = following[0][0].start_mark.index if following else self._end_mark()
                return start, self._content_end(key, value, limit)
        raise ConfigError(
            f"the product has no layer {name}", f"it has: {', '.join(self.names) or 'none'}", "name one of its layers"
        )

    def end_of_layers(self) -> tuple[int, bool, str]:
        """Where another layer is to be written, whether a blank line comes before it, and what else does."""
        if self.pairs:
            _, end = self.place_of(self.names[-1])
            first, after = self.place_of(self.names[0])
            several = len(self.names) > 1 and self.text[after : after + 2].startswith(("\n", "\r\n"))
            return end, several or (len(self.names) == 1 and self.text[first:after].count("\n") > 2), ""
        if self.key is None:
            return len(self.text), True, "layers:\n"
        assert self.layers is not None
        if self.layers.start_mark.index != self.layers.end_mark.index:
            raise ConfigError("the layers of the product file are no mapping", "", "remove the line 'layers' first")
        return self._line_end(self.key.end_mark.index), False, ""

    def _end_mark(self) -> int:
        assert self.layers is not None
        return int(self.layers.end_mark.index)

    def _content_end(self, key: yaml.Node, value: yaml.Node, limit: int) -> int:
        """The end of the last line before `limit` that belongs to an entry; a comment does when it is indented more."""
        least = max(self._last(value, limit), int(key.end_mark.index))
        block = self.text[least - 1 : least] in ("\n", "\r")
        end = least if block else self._line_end(least)
        while end < limit:
            following = self._line_end(end)
            line = self.text[end:following]
            inner = line.startswith(" " * (self.column + 1))
            if following > limit or not line.strip() or (line.lstrip().startswith("#") and not inner):
                break
            end = following
        return end

    def _last(self, node: yaml.Node, limit: int) -> int:
        """The end of the last scalar or bracket of a node; an alias stands elsewhere and counts as nothing."""
        if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False):
            return int(node.end_mark.index) if node.end_mark.index <= limit else 0
        children = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        return max((self._last(child, limit) for child in children), default=0)

    def _line_end(self, index: int) -> int:
        found = self.text.find("\n", index)
        return len(self.text) if found < 0 else found + 1

    def comment_above(self, start: int, column: int) -> int:
        """The beginning of the comment lines directly above `start` that are indented as what follows them."""
        while start > 0:
            above = self.text.rfind("\n", 0, start - 1) + 1
            line = self.text[above:start]
            if not line.startswith(" " * column + "#"):
                break
            start = above
        return start

    def blank_above(self, start: int) -> bool:
        """Whether the line above is blank."""
        above = self.text.rfind("\n", 0, max(0, start - 1)) + 1
        return start > 0 and not self.text[above:start].strip()

    def skip_blank(self, end: int) -> int:
        """The place behind the blank lines at `end`."""
        while end < len(self.text) and not self.text[end : self._line_end(end)].strip():
            end = self._line_end(end)
        return end
