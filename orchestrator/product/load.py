# SPDX-License-Identifier: MIT
"""Reading `pycontainer.yaml`: every complaint names file, line and path, and guesses what was meant."""

from __future__ import annotations

import contextlib
import difflib
import re
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import yaml

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.product.confinement import published_port
from orchestrator.product.explain import choices, field_names, in_words, keys
from orchestrator.product.fields import FieldError
from orchestrator.product.model import Layer, Product
from orchestrator.product.words import PATTERNS, Name

PRODUCT_FILE = "pycontainer.yaml"
_LIMIT = 1024 * 1024
_UNKNOWN_FIELD = re.compile(r"unknown field `(.*?)`")
_CHOICE = re.compile(r"Invalid enum value '([^']*)'")
_MISSING = re.compile(r"missing required field `(.*?)`")
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
    return parse_product(path, read_product_text(path))


def read_product_text(path: Path) -> str:
    """Return a product file's text, line ends as they are; raises ConfigError when it cannot be read."""
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise ConfigError(
                f"{path} is too large", f"the limit is {_LIMIT} bytes", "it describes one product in text"
            )
        return data.decode()
    except (OSError, UnicodeDecodeError) as problem:
        hint = "name or allow another file" if isinstance(problem, OSError) else "write it as UTF-8 text"
        raise ConfigError(f"{path} cannot be read", str(problem), hint) from problem


def parse_product(path: Path, text: str) -> Product:
    """Return the product that a text describes; `path` is what errors call its file. Raises ConfigError."""
    reader, value = _read(
        path,
        text,
        "product file",
        "'product', 'version', 'machine' and 'layers'",
        "see docs/product-file.md, or begin with examples/demo/pycontainer.yaml",
    )
    return reader.product(value)


def parse_file(path: Path, text: str, kind: Any, what: str) -> Any:
    """Return a text as a value of a struct `kind` that is a layer with more members; raises ConfigError as above."""
    reader, value = _read(path, text, what, "'layer', 'version', 'kind' and 'from'", "see docs/layers.md")
    reader.plain_layer(value, ())
    return reader.convert(value, kind, ())


def _read(path: Path, text: str, what: str, wanted: str, hint: str) -> tuple[_Reader, dict[str, Any]]:
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
    return _Reader(path, root, text), value


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


def locate(path: Path, where: Path_) -> str:
    """Return `file:line: path` of a place in a product file that was loaded, as errors name it."""
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    return _Reader(path, root, text).place(where)


class _Reader:
    def __init__(self, path: Path, root: yaml.Node, text: str) -> None:
        self.path = path
        self.root = root
        self.lines = text.splitlines()

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
                self.plain_layer(layer, ("layers", name))
            converted[name] = self.convert(layer, Layer, ("layers", name))
        result = msgspec.structs.replace(product, layers=converted)
        for name in ("bootloader", "bsp", "host"):
            if name in result.layers:
                self.fail(("layers", name), f"the name {name} belongs to the base's own layer", "choose another name")
        try:
            result.start_groups()
        except FieldError as problem:
            self.fail(problem.path, str(problem), problem.hint or "mend 'after' and 'group' of the layers named")
        self.check_references(result)
        return result

    def plain_layer(self, layer: dict[str, Any], path: Path_) -> None:
        """Let what YAML reads as a number be a text, or a share, where the layer's words want that."""
        if isinstance(layer.get("version"), int):
            layer["version"] = str(layer["version"])
        for key in ("sysctls", "labels"):
            _as_text(layer.get(key))
        if isinstance(layer.get("stopSignal"), int):
            layer["stopSignal"] = str(layer["stopSignal"])
        if isinstance(cpus := layer.get("cpus"), str):
            layer["cpus"] = self.number(cpus, (*path, "cpus"))

    def check_references(self, product: Product) -> None:
        """Check what one part says of another: the conditions' layers and volumes, and who has a port of the device."""
        for position, each in enumerate(product.confirm.files):
            path = ("confirm", "files", position)
            layer = product.layers.get(each.layer)
            if layer is None:
                self.fail((*path, "layer"), f"{each.layer} is not a layer of this product", "name one of its layers")
            volume = next((volume for volume in layer.volumes if volume.name == each.volume), None)
            if volume is None:
                reason = f"the layer {each.layer} has no volume {each.volume}"
                self.fail((*path, "volume"), reason, "name one of the layer's 'volumes'")
            if volume.kind != "revision":
                # In any other one the file may be there from the revision before.
                reason = f"the volume {each.volume} is kept from one revision to the next, and so is a file in it"
                self.fail((*path, "volume"), reason, "name a volume of 'kind: revision', which is empty at first")
        self.check_waits(product)
        owners: dict[str, str] = {}
        for name, layer in product.layers.items():
            for port in layer.published:
                other = owners.setdefault(port.on_host, name)
                if other != name:
                    reason = f"the port {port.on_host} of the device is published by {other} already"
                    position = [published_port(text) for text in layer.ports].index(port)
                    self.fail(("layers", name, "ports", position), reason, "give each layer ports of its own")

    def check_waits(self, product: Product) -> None:
        """Refuse to wait for what cannot come: the end of what always runs, the health of what is not asked."""
        for name, layer in product.layers.items():
            for position, each in enumerate(layer.predecessors):
                path = ("layers", name, "after", position)
                other = product.layers[each.layer]
                if each.condition == "completed" and other.restart.policy == "always":
                    reason = f"{each.layer} is always started again, so its end never comes"
                    self.fail(path, reason, f"give {each.layer} 'restart: {{policy: on-failure}}', or 'no'")
                if each.condition == "healthy" and (other.health == "none" or not _may_have_check(other)):
                    reason = f"{each.layer} has no health check"
                    self.fail(path, reason, f"give {each.layer} a 'health', or wait for it without a condition")

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
            inner = _inner(message, value)
            reason = _AT_PATH.sub("", message)
            why = ""
            hint = "see docs/product-file.md for every key"
            if isinstance(cause := problem.__cause__, FieldError):
                inner += cause.path
                hint = cause.hint or hint
            elif unknown := _UNKNOWN_FIELD.search(message):
                word = unknown.group(1)
                inner.append(word)
                near = difflib.get_close_matches(word, field_names(kind), n=1)
                reason = f"unknown key '{word}'"
                why = f"the keys here are: {', '.join(keys(kind, tuple(inner[:-1])))}"
                if near:
                    hint = f"did you mean '{near[0]}'?"
            elif _CHOICE.search(message):
                words = choices(kind, tuple(inner))
                near = difflib.get_close_matches(_CHOICE.findall(message)[0], words, n=1, cutoff=0.5)
                reason = f"'{_CHOICE.findall(message)[0]}' is not one of: {', '.join(words)}"
                if near:
                    hint = f"did you mean '{near[0]}'?"
            elif pattern := _PATTERN.search(reason):
                known = pattern[1].replace("\\\\", "\\")  # the message shows it as Python would write it
                reason = f"written wrongly: {PATTERNS.get(known, 'it must match ' + known)}"
            elif missing := _MISSING.search(reason):
                reason = f"the key '{missing[1]}' is missing"
                why = f"needed here: {', '.join(keys(kind, tuple(inner), required=True))}"
            else:
                reason = in_words(reason)
            self.fail((*prefix, *inner), reason, hint, problem, why)

    def fail(self, path: Path_, reason: str, hint: str, cause: Exception | None = None, why: str = "") -> NoReturn:
        """Raise the error about the value at `path`; without `why` it is the line as it stands in the file."""
        read = self.lines[self.line(path) - 1].strip()[:160] if self.line(path) <= len(self.lines) else ""
        why = why or (f"the line reads: {read}" if read else "it stands nowhere in the file")
        raise ConfigError(f"{self.place(path)}: {reason}", why, hint) from cause

    def place(self, path: Path_) -> str:
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


def _as_text(mapping: Any) -> None:
    """Let numbers of a mapping of texts stand without quotes; what else is no text is refused by its type."""
    for key, value in mapping.items() if isinstance(mapping, dict) else ():
        if isinstance(value, int) and not isinstance(value, bool):
            mapping[key] = str(value)


def _may_have_check(layer: Layer) -> bool:
    """Whether a layer has a check of its own, or comes from something that may bring one."""
    return layer.health is not None or bool(layer.source.image or layer.source.bitbake or layer.source.layer)


def _inner(message: str, value: Any) -> list[str | int]:
    """The steps below `value` to what a message complains of; for a mapping of free keys the first wrong value."""
    at = _AT_PATH.search(message)
    steps: list[str | int] = []
    for step in _STEP.finditer(at.group(1) if at else ""):
        if step.group(1):
            steps.append(step.group(1))
        elif step.group(2):
            steps.append(int(step.group(2)))
        elif isinstance(value, dict):
            steps += [key for key, item in value.items() if not isinstance(item, str)][:1]
        with contextlib.suppress(KeyError, IndexError, TypeError):
            value = value[steps[-1]]
    return steps
