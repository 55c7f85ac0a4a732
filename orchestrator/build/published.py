# SPDX-License-Identifier: MIT
"""Layers that teams have published, in a product: taken by their digest, if signed by who may, and given what the
product file grants.

What runs is the layer's own file system image, the same bytes in every product. How it runs is what its team wrote,
where the product file says nothing else; but what loosens the confinement is the product file's word alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from orchestrator.build.containers import RUNS
from orchestrator.build.imagelock import image_lock, key_of, pins_of, read_lock
from orchestrator.build.layerbuild import asked_for
from orchestrator.build.skeleton import PublishedSource
from orchestrator.build.workspace import Workspace
from orchestrator.errors import ConfigError, PyContainerError, TrustError, VerificationError
from orchestrator.oci import Store
from orchestrator.oci.strict import decode
from orchestrator.product.fields import FieldError
from orchestrator.product.layerfile import defaults_of
from orchestrator.product.model import Layer, Product
from orchestrator.product.reference import ImageReference
from orchestrator.progress import Reporter
from orchestrator.publish import DOCUMENT_LIMIT, PublishedLayer, bring_layer, check_signers, layer_here
from orchestrator.sbom import Document

_GRANTS = ("source", "relax", "network", "ports", "init", "kind")
"""What the product file alone says."""


@dataclass(frozen=True)
class Taken:
    """A published layer that a product takes: where it is, who signed it, and what it is granted without asking."""

    store: Store
    layer: PublishedLayer
    reference: str
    keyids: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Where it came from and who signed it, in words."""
        signed = ", ".join(keyid[:16] for keyid in self.keyids)
        return f"layer {self.reference}, manifest {self.layer.id}, signed by key {signed}"

    def source(self) -> PublishedSource:
        """Return the layer as an input."""
        return PublishedSource(self.store, self.layer, self.reference)

    def document(self) -> Document:
        """Return what the team knew of its components; raises VerificationError when it is not in form."""
        part = self.layer.parts["document"]
        data = self.store.read_blob(part.digest, limit=DOCUMENT_LIMIT)
        try:
            return decode(data, Document, f"the document of layer {self.layer.config.name}", limit=DOCUMENT_LIMIT)
        except VerificationError as problem:
            raise VerificationError(
                problem.what, problem.why, "let the team build and publish it with this release of pycontainer"
            ) from problem


def take_layers(
    product: Product,
    place: Workspace,
    pins: Mapping[str, str],
    reporter: Reporter,
    names: Collection[str] | None = None,
) -> tuple[Product, dict[str, Taken]]:
    """Return the product as it is built, with what its published layers say of themselves, and these by name.

    Nothing is asked of the network for what is here. Raises TrustError (exit code 7) for a layer that is not signed by
    one of its signers or asks for more than it is granted, ConfigError for one that cannot run on the machine.
    """
    taken: dict[str, Taken] = {}
    layers = dict(product.layers)
    for name, layer in product.layers.items():
        reference = layer.source.reference
        if layer.source.layer is None or reference is None or (names is not None and name not in names):
            continue
        with reporter.step(f"take {name}") as step:
            digest = reference.digest or pins[key_of(reference)]
            found = _bring(name, layer, reference, digest, place, reporter)
            layers[name] = effective(name, layer, found.layer)
            taken[name] = found
            step.result = f"{found.layer.config.version}, signed by {', '.join(key[:12] for key in found.keyids)}"
    return msgspec.structs.replace(product, layers=layers), taken


def known_layers(product: Product, place: Workspace) -> Product:
    """Return the product with what its published layers say as far as they are here; asks nothing of anybody.

    What a layer gets beyond the defaults is the product file's word in any case.
    """
    layers = dict(product.layers)
    try:
        path = image_lock(place)
        pins = pins_of(read_lock(path), path)
        store = Store.open(place.images)
        for name, layer in product.layers.items():
            reference = layer.source.reference
            if layer.source.layer is None or reference is None:
                continue
            digest = reference.digest or pins.get(key_of(reference), "")
            if digest and (found := layer_here(store, digest)) is not None:
                layers[name] = effective(name, layer, found)
    except PyContainerError:
        pass  # the build says what is wrong; what is granted is known without it
    return msgspec.structs.replace(product, layers=layers)


def _bring(
    name: str, layer: Layer, reference: ImageReference, digest: str, place: Workspace, reporter: Reporter
) -> Taken:
    store = Store.open_or_create(place.images)
    view = reporter.view
    found = bring_layer(
        reference, digest, place.root, store, tell=view.amount, say=lambda text: view.message("note", text)
    ).layer
    keyids = check_signers(store, found, layer.source.signers)
    store.verify_blob(found.rootfs.digest, found.rootfs.size)
    machine = place.machine.rpartition("-")[2]
    if found.config.architecture not in RUNS.get(machine, (machine,)) and machine in RUNS:
        raise ConfigError(
            f"layer {name}: the machine {place.machine} does not run {found.config.architecture}",
            f"{layer.source.layer} was built for that",
            "take the one for the machine, usually another tag",
        )
    granted, asked = set(asked_for(layer)), set(asked_for(asked_layer(name, layer, found)))
    if "network host" in granted:  # then it needs neither a bridge nor a port of its own
        asked = {each for each in asked if each != "network bridge" and not each.startswith("a published port")}
    if excess := sorted(asked - granted):
        raise TrustError(
            f"the layer {name} asks for more than the product grants it",
            f"{', '.join(excess)}; it was published as {found.config.name} {found.config.version}",
            "grant it in the product file, with your reason (relax, network, ports, init), or ask the team",
        )
    unused = tuple(sorted(granted - asked))
    return Taken(store, found, str(layer.source.layer), tuple(keyids), unused)


def asked_layer(name: str, layer: Layer, found: PublishedLayer) -> Layer:
    """Return what a layer's team wrote, as the product file would say it; raises ConfigError for what it cannot."""
    words = {**found.config.run, "kind": found.config.kind, "from": msgspec.to_builtins(layer.source)}
    try:
        return msgspec.convert(words, Layer)
    except msgspec.ValidationError as problem:
        raise ConfigError(
            f"the layer {name} says of itself what is not understood",
            str(problem)[:200],
            "let the team build and publish it with this release of pycontainer",
        ) from problem


def says_itself(layer: Layer, field: str) -> bool:
    """Whether a member of a published layer is the product file's word, and not the layer's own."""
    return field in _GRANTS or getattr(layer, field) != defaults_of(Layer).get(field, msgspec.UNSET)


def asked_words(found: PublishedLayer) -> list[str]:
    """Return what a published layer asks for beyond the default confinement, in a few words each."""
    words = {**found.config.run, "kind": found.config.kind, "from": {"directory": "."}}
    try:
        return asked_for(msgspec.convert(words, Layer))
    except msgspec.ValidationError as problem:
        return [f"something that is not understood: {str(problem)[:100]}"]


def effective(name: str, layer: Layer, found: PublishedLayer) -> Layer:
    """Return how a layer runs: as its team wrote, where the product file says nothing else.

    Raises ConfigError for what the product file cannot say of it: other files, another kind, another runtime.
    """
    if layer.kind != found.config.kind:
        raise ConfigError(
            f"the layer {name} is of another kind", f"{layer.source.layer} is {found.config.kind}", "correct 'kind'"
        )
    if layer.files or layer.runtime != "crun" or layer.lxc_template:
        word = "files" if layer.files else "runtime"
        raise ConfigError(
            f"the layer {name} cannot have '{word}'",
            "a published layer is taken as it is, and run by crun",
            "leave it out, or ask the team that makes the layer",
        )
    wish = asked_layer(name, layer, found)
    values = {field: getattr(layer if says_itself(layer, field) else wish, field) for field in Layer.__struct_fields__}
    values["version"] = layer.version or found.config.version
    try:
        return Layer(**values)
    except FieldError as problem:
        where = ".".join(map(str, problem.path))
        raise ConfigError(
            f"layers.{name}.{where}: {problem}", f"with what {found.config.name} says of itself"
        ) from problem
