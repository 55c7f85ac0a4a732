# SPDX-License-Identifier: MIT
"""Reading `pycontainer.yaml`: every complaint names file, line and path, and guesses what was meant."""

from __future__ import annotations

import contextlib
import difflib
import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.product.explain import choices, field_names, in_words, keys
from orchestrator.product.fields import FieldError
from orchestrator.product.fields import Path as Path_
from orchestrator.product.model import Layer, Product
from orchestrator.product.places import Places, read_yaml
from orchestrator.product.references import check_references
from orchestrator.product.words import PATTERNS, Name

PRODUCT_FILE = "pycontainer.yaml"
_LIMIT = 1024 * 1024
_UNKNOWN_FIELD = re.compile(r"unknown field `(.*?)`")
_CHOICE = re.compile(r"Invalid enum value '([^']*)'")
_MISSING = re.compile(r"missing required field `(.*?)`")
_PATTERN = re.compile(r"matching regex '(.*)'")
_AT_PATH = re.compile(r" - at `(?:key in )?\$(.*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[(\.\.\.)\]")


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
    root, value = read_yaml(
        path,
        text,
        "product file",
        "'product', 'version', 'machine' and 'layers'",
        "see docs/product-file.md, or begin with examples/demo/pycontainer.yaml",
    )
    return _Reader(path, root, text).product(value)


def parse_file(path: Path, text: str, kind: Any, what: str) -> Any:
    """Return a text as a value of a struct `kind` that is a layer with more members; raises ConfigError as above."""
    root, value = read_yaml(path, text, what, "'layer', 'version', 'kind' and 'from'", "see docs/layers.md")
    reader = _Reader(path, root, text)
    reader.plain_layer(value, ())
    return reader.convert(value, kind, ())


def locate(path: Path, where: Path_) -> str:
    """Return `file:line: path` of a place in a product file that was loaded, as errors name it."""
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    return Places(path, root, text).place(where)


class _Reader(Places):
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
            check_references(result)
        except FieldError as problem:
            self.fail(problem.path, str(problem), problem.hint or "mend 'after' and 'group' of the layers named")
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


def _as_text(mapping: Any) -> None:
    """Let numbers of a mapping of texts stand without quotes; what else is no text is refused by its type."""
    for key, value in mapping.items() if isinstance(mapping, dict) else ():
        if isinstance(value, int) and not isinstance(value, bool):
            mapping[key] = str(value)


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
