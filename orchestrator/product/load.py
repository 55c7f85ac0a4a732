# SPDX-License-Identifier: MIT
"""Reading `pycontainer.yaml`: every complaint names file, line and path, and guesses what was meant."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import yaml

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.product.model import Layer, Product
from orchestrator.product.words import PATTERNS, Name

PRODUCT_FILE = "pycontainer.yaml"
_LIMIT = 1024 * 1024
_UNKNOWN_FIELD = re.compile(r"unknown field `(.*?)`")
_CHOICE = re.compile(r"Invalid enum value '([^']*)'")
_PATTERN = re.compile(r"matching regex '(.*)'")
_AT_PATH = re.compile(r" - at `(?:key in )?\$(.*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[(\.\.\.)\]")

Path_ = tuple[str | int, ...]


def find_product_file(place: Path) -> Path:
    """Return the product file that `place`, a folder or the file itself, means; raises ConfigError without one."""
    path = place / PRODUCT_FILE if place.is_dir() else place
    if not path.is_file():
        raise ConfigError(
            f"there is no product file at {path}",
            "a product is described by one file, pycontainer.yaml",
            "name the folder that holds it, for example: pycontainer build examples/demo",
        )
    return path


def load_product(path: Path) -> Product:
    """Return the product that a file describes; raises ConfigError naming file, line and path of what is wrong."""
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise ConfigError(f"{path} is too large", f"the limit is {_LIMIT} bytes")
        text = data.decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} cannot be read", str(problem)) from problem
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
        raise ConfigError(f"{path}: not a product file", "a mapping with 'product', 'version', 'layers' is expected")
    assert root is not None
    return _Reader(path, root).product(value)


def _construct(path: Path, root: yaml.Node) -> Any:
    """Build plain values from the node graph, refusing double keys (YAML keeps the last in silence) and alias bombs."""
    seen = 0

    def build(node: yaml.Node, depth: int) -> Any:
        nonlocal seen
        seen += 1
        if depth > 32 or seen > 20_000:
            raise ConfigError(f"{path}:{node.start_mark.line + 1}: nested too deeply or too large")
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise ConfigError(f"{path}:{key.start_mark.line + 1}: a key must be a word")
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


class _Reader:
    def __init__(self, path: Path, root: yaml.Node) -> None:
        self.path = path
        self.root = root

    def product(self, value: dict[str, Any]) -> Product:
        layers = value.get("layers", {})
        if not isinstance(layers, dict) or not layers:
            self.fail(("layers",), "a product has at least one layer, by name", "see examples/demo/pycontainer.yaml")
        plain = {
            key: str(item) if key in ("version", "product", "machine") and isinstance(item, int) else item
            for key, item in value.items()
        }
        product: Product = self.convert(plain | {"layers": {}}, Product, ())
        converted: dict[str, Layer] = {}
        for name, layer in layers.items():
            self.convert(name, Name, ("layers", name))
            if isinstance(layer, dict):
                if isinstance(layer.get("version"), int):
                    layer["version"] = str(layer["version"])
                if isinstance(cpus := layer.get("cpus"), str):
                    layer["cpus"] = self.number(cpus, ("layers", name, "cpus"))
            converted[name] = self.convert(layer, Layer, ("layers", name))
        result = msgspec.structs.replace(product, layers=converted)
        for name in ("bootloader", "bsp", "host"):
            if name in result.layers:
                self.fail(("layers", name), f"the name {name} belongs to the base's own layer", "choose another name")
        try:
            result.start_groups()
        except ValueError as problem:
            self.fail(("layers",), str(problem), "mend 'after' and 'group' of the layers named")
        self.check_references(result)
        return result

    def check_references(self, product: Product) -> None:
        """Check what one part says of another: the conditions' layers and volumes, and who has a port of the device."""
        for position, each in enumerate(product.confirm.files):
            path = ("confirm", "files", position)
            layer = product.layers.get(each.layer)
            if layer is None:
                self.fail((*path, "layer"), f"{each.layer} is not a layer of this product", "name one of its layers")
            if each.volume not in [volume.name for volume in layer.volumes]:
                reason = f"the layer {each.layer} has no volume {each.volume}"
                self.fail((*path, "volume"), reason, "name one of the layer's 'volumes'")
        owners: dict[str, str] = {}
        for name, layer in product.layers.items():
            for port in layer.published:
                other = owners.setdefault(port.on_host, name)
                if other != name:
                    reason = f"the port {port.on_host} of the device is published by {other} already"
                    self.fail(("layers", name, "ports"), reason, "give each layer ports of its own")

    def number(self, text: str, path: Path_) -> float:
        try:
            return float(text)
        except ValueError:
            self.fail(path, f"not a number: {text!r}", "write for example 0.5")

    def convert(self, value: Any, kind: Any, prefix: Path_) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as problem:
            message = str(problem)
            at = _AT_PATH.search(message)
            inner: list[str | int] = []
            for step in _STEP.finditer(at.group(1) if at else ""):
                if step.group(1):
                    inner.append(step.group(1))
                elif step.group(2):
                    inner.append(int(step.group(2)))
            reason = _AT_PATH.sub("", message)
            hint = "see docs/product-file.md for every key"
            if unknown := _UNKNOWN_FIELD.search(message):
                word = unknown.group(1)
                inner.append(word)
                near = difflib.get_close_matches(word, _field_names(kind), n=1)
                reason = f"unknown key '{word}'"
                if near:
                    hint = f"did you mean '{near[0]}'?"
            elif _CHOICE.search(message):
                choices = _choices(kind, tuple(inner))
                near = difflib.get_close_matches(_CHOICE.findall(message)[0], choices, n=1, cutoff=0.5)
                reason = f"'{_CHOICE.findall(message)[0]}' is not one of: {', '.join(choices)}"
                if near:
                    hint = f"did you mean '{near[0]}'?"
            elif pattern := _PATTERN.search(reason):
                known = pattern[1].replace("\\\\", "\\")  # the message shows it as Python would write it
                reason = f"written wrongly: {PATTERNS.get(known, 'it must match ' + known)}"
            self.fail((*prefix, *inner), reason, hint, problem)

    def fail(self, path: Path_, reason: str, hint: str, cause: Exception | None = None) -> NoReturn:
        dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        raise ConfigError(f"{self.path}:{self.line(path)}: {dotted or 'product'}: {reason}", "", hint) from cause

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


def _choices(kind: Any, path: Path_) -> list[str]:
    """The words that are allowed at `path` below `kind`, sorted; none when it is not a choice."""
    found: list[Any] = [msgspec.inspect.type_info(kind)]
    for step in (*path, None):
        plain: list[Any] = []
        while found:
            item = found.pop()
            if isinstance(item, msgspec.inspect.UnionType):
                found.extend(item.types)
            elif isinstance(item, msgspec.inspect.Metadata):
                found.append(item.type)
            else:
                plain.append(item)
        if step is None:
            return sorted(str(value) for item in plain for value in getattr(item, "values", ()))
        for item in plain:
            if isinstance(item, msgspec.inspect.StructType) and isinstance(step, str):
                found += [field.type for field in item.fields if field.encode_name == step]
            elif isinstance(item, msgspec.inspect.ListType) and isinstance(step, int):
                found.append(item.item_type)
    return []


def _field_names(kind: Any) -> list[str]:
    """Every key that the product file knows, at any depth below `kind`, as it is written in YAML."""
    names: set[str] = set()
    seen: set[type] = set()
    pending: list[Any] = [msgspec.inspect.type_info(kind)]
    while pending:
        item = pending.pop()
        if isinstance(item, msgspec.inspect.StructType) and item.cls not in seen:
            seen.add(item.cls)
            names |= {field.encode_name for field in item.fields}
            pending += [field.type for field in item.fields]
        elif isinstance(item, msgspec.inspect.UnionType):
            pending.extend(item.types)
        elif isinstance(item, msgspec.inspect.ListType):
            pending.append(item.item_type)
        elif isinstance(item, msgspec.inspect.DictType):
            pending.append(item.value_type)
    return sorted(names)
