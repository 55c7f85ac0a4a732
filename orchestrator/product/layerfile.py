# SPDX-License-Identifier: MIT
"""`layer.yaml`: one layer by itself, as the team that makes it writes it; its words are those of a product's layer.

What it says of confinement is what the layer asks for; what it gets, the product that takes it decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.errors import ConfigError
from orchestrator.product.fields import FieldError
from orchestrator.product.load import parse_file, read_product_text
from orchestrator.product.model import Layer, Supplier
from orchestrator.product.words import Name, Version

LAYER_FILE = "layer.yaml"
Architecture = Literal["amd64", "arm64"]

PRODUCTS_WORDS = ("after", "group", "required", "confirm", "observe", "apparmor", "lxc_template")
"""What only the product that takes a layer can say: who waits for whom, and what it is watched and confined by."""


class LayerFile(Layer, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One layer with its name, version and architecture; `team` names whose keys sign it (default: the layer's)."""

    layer: Name
    version: Version
    architecture: Architecture
    team: Name | None = None
    supplier: Supplier | None = None
    components: Annotated[list[str], msgspec.Meta(max_length=1000)] = []

    def __post_init__(self) -> None:
        super().__post_init__()
        check_alone(self)

    @property
    def signing_keys(self) -> str:
        """The name under which the keys are kept that sign it."""
        return self.team or self.layer


def check_alone(layer: Layer) -> None:
    """Raise FieldError for what a layer cannot be or say without a product around it."""
    if layer.source.bitbake or layer.source.layer:
        word = "bitbake" if layer.source.bitbake else "layer"
        raise FieldError(("from", word), "a layer by itself is made of an image, a tar or a directory")
    if layer.runtime != "crun":
        raise FieldError("runtime", "a layer by itself runs by crun; what else runs it is the product's to say")
    defaults = defaults_of(Layer)
    for field in PRODUCTS_WORDS:
        if getattr(layer, field) != defaults[field]:
            raise FieldError(
                encoded(Layer, field),
                "only the product that takes the layer can say this",
                "write it in the product file",
            )


def load_layer_file(path: Path) -> LayerFile:
    """Return the layer that a file describes; raises ConfigError naming file, line and path."""
    found: LayerFile = parse_file(path, read_product_text(path), LayerFile, "layer.yaml")
    return found


def layer_of_product(path: Path, name: str, layer: Layer, supplier: Supplier | None, **head: Any) -> LayerFile:
    """Return a product's layer as one by itself; raises ConfigError when it is none. `head` has its other members."""
    values = {field: getattr(layer, field) for field in Layer.__struct_fields__}
    values = {**values, "layer": name, "supplier": supplier, **head}
    try:
        return LayerFile(**values)
    except FieldError as problem:
        where = ".".join(map(str, problem.path))
        raise ConfigError(f"{path}: layers.{name}.{where}: {problem}", "", problem.hint) from problem


def defaults_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the default of each field of a struct that has one."""
    found = {}
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            found[field.name] = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
    return found


def encoded(kind: type[msgspec.Struct], field: str) -> str:
    """Return what a field is called in a file."""
    return next(each.encode_name for each in msgspec.structs.fields(kind) if each.name == field)
