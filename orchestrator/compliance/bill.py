# SPDX-License-Identifier: MIT
"""A document as an auditor reads it: elements, what holds what, licences and texts, whatever format it came in.

Readers (`read_spdx3`, `read_spdx2`) fill it from foreign bytes and note what breaks the format's form in `flaws`, so
that a damaged document is judged and not merely refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Role = Literal["document", "image", "layer", "component", "source", "file", "licence", "agent", "tool", "other"]
"""What an element is to an auditor: `image` the flashable whole, `layer` a layer of it, `component` a package or file
in a layer, `source` what a component was built from."""

LAYER_KINDS = ("bootloader", "bsp", "host", "rootfs", "app")
UNKNOWN = ("", "NOASSERTION", "NONE")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where a document breaks its format's own rules: the check it falls under, the element, and how."""

    check: str
    element: str
    message: str


@dataclass(frozen=True, slots=True)
class Agent:
    """Who made or supplied something. `contact` is an e-mail address or URL; `version` is a tool's."""

    kind: Literal["organization", "person", "tool", "other"]
    name: str
    contact: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship: its kind in SPDX 3 words (`contains`, `dependsOn`, ...), both ends, and its completeness."""

    kind: str
    source: str
    target: str
    completeness: str = ""


@dataclass(slots=True)
class Element:
    """One element. `declared` and `concluded` are expressions, empty when unknown; `properties` are facts that have no
    field of their own in the format (kind of layer, evidence, linking, ...), by name."""

    id: str
    role: Role
    name: str = ""
    version: str = ""
    purl: str = ""
    purposes: tuple[str, ...] = ()
    supplier: Agent | None = None
    hashes: tuple[tuple[str, str], ...] = ()
    file_name: str = ""
    copyright: str = ""
    homepage: str = ""
    download: str = ""
    source_info: str = ""
    comment: str = ""
    declared: str = ""
    concluded: str = ""
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def hash_of(self) -> Mapping[str, str]:
        """The hashes by algorithm, in SPDX 3 words (`sha256`)."""
        return dict(self.hashes)


@dataclass
class Bill:
    """A whole document; `texts` has every text given for each LicenseRef (more than one is a flaw)."""

    format: Literal["SPDX-3.0.1", "SPDX-2.3"]
    name: str = ""
    uri: str = ""
    expected_uri: str = ""
    created: str = ""
    creators: tuple[Agent, ...] = ()
    data_licence: str = ""
    list_version: str = ""
    sbom_types: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    elements: dict[str, Element] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    text_names: dict[str, str] = field(default_factory=dict)
    vulnerabilities: list[str] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    comment: str = ""
    size: int = 0

    @cached_property
    def below(self) -> dict[str, list[Edge]]:
        """The edges that leave each element."""
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found

    @property
    def root(self) -> Element | None:
        """The element that the document is about, when it is one."""
        return self.elements.get(self.roots[0]) if len(self.roots) == 1 else None

    @cached_property
    def layers(self) -> tuple[Element, ...]:
        """The layers, in the order in which a device comes to them; of one kind in the document's order."""
        found = [element for element in self.elements.values() if element.role == "layer"]
        order = {kind: position for position, kind in enumerate(LAYER_KINDS)}
        return tuple(sorted(found, key=lambda element: order.get(element.properties.get("kind", ""), len(order))))

    @cached_property
    def layer_of(self) -> dict[str, str]:
        """The name of the layer that holds each element (by `contains`, at any depth); layers hold themselves.

        A source is in the layer of what was built from it.
        """
        found: dict[str, str] = {}
        for layer in self.layers:
            waiting = [layer.id]
            while waiting:
                here = waiting.pop()
                if here in found:
                    continue
                found[here] = layer.name
                for edge in self.below.get(here, ()):
                    target = self.elements.get(edge.target)
                    if edge.kind == "contains" and target is not None and target.role != "layer":
                        waiting.append(edge.target)
        if len(self.layers) == 1:
            # A stranger's document of one thing may hang its packages on it by other relationships.
            for component in self.components:
                found.setdefault(component.id, self.layers[0].name)
        for edge in self.edges:
            if edge.kind in ("generates", "descendantOf") and edge.target in found:
                found.setdefault(edge.source, found[edge.target])
        return found

    @cached_property
    def components(self) -> tuple[Element, ...]:
        """What the layers hold, in the document's order."""
        return tuple(element for element in self.elements.values() if element.role == "component")

    def members(self, layer: str) -> Iterator[Element]:
        """Yield the components of the layer of that name."""
        for component in self.components:
            if self.layer_of.get(component.id) == layer:
                yield component

    @cached_property
    def sources(self) -> dict[str, Element]:
        """The source element of each component that has one (`generates`: from source to component)."""
        found: dict[str, Element] = {}
        for edge in self.edges:
            source = self.elements.get(edge.source)
            if edge.kind == "generates" and source is not None and source.role == "source":
                found[edge.target] = source
        return found

    def settle(self) -> None:
        """Take the root of a document without layers for one: strangers' documents are about a single thing."""
        if not any(element.role == "layer" for element in self.elements.values()):
            for root in self.roots:
                if root in self.elements:
                    self.elements[root].role = "layer"

    def text(self, reference: str) -> str:
        """The text of a LicenseRef, empty when it has none."""
        return next(iter(self.texts.get(reference, ())), "")


def purl_parts(purl: str) -> tuple[str, str, str, dict[str, str]]:
    """Return type, name with namespace, version and qualifiers of a package URL, undecoded; empty when it is none."""
    if not purl.startswith("pkg:"):
        return "", "", "", {}
    plain, _, tail = purl[4:].partition("?")
    kind, _, path = plain.partition("/")
    head, slash, last = path.rpartition("/")
    name, at, version = last.rpartition("@")
    qualifiers = dict(part.partition("=")[::2] for part in tail.partition("#")[0].split("&") if part)
    return kind, head + slash + (name if at else last), version if at else "", qualifiers
