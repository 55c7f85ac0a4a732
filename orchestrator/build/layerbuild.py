# SPDX-License-Identifier: MIT
"""`pycontainer layer build`: one layer by itself, without a base and without a product, ready to be published."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.build.containers import image_source, run_options
from orchestrator.build.documents import Documents
from orchestrator.build.imagelock import pinned_images
from orchestrator.build.images import registry_images
from orchestrator.build.skeleton import skeleton
from orchestrator.build.workspace import Workspace
from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError
from orchestrator.layers.build import Surroundings, add_files, build_layer, opened
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.imageconfig import parse_image_config
from orchestrator.layers.inputs import LayerSource, TarSource, folder_source
from orchestrator.layers.options import RunOptions
from orchestrator.layers.runconfig import make_run_config
from orchestrator.oci import Store
from orchestrator.oci.platform import parse_platform
from orchestrator.product.layerfile import (
    LAYER_FILE,
    LayerFile,
    defaults_of,
    encoded,
    layer_of_product,
    load_layer_file,
)
from orchestrator.product.load import PRODUCT_FILE, load_product
from orchestrator.product.model import Layer, Product
from orchestrator.progress import Reporter
from orchestrator.publish import LayerConfig, PublishedLayer, assemble_layer, sign_layer
from orchestrator.revision import created_at
from orchestrator.run import Tools
from orchestrator.trust import product_keys

BEGINNING = 1767225600
"""2026-01-01: the time of all that has none of its own, when SOURCE_DATE_EPOCH does not say another."""
_NOT_PUBLISHED = ("source", "files", "version", "kind")


@dataclass(frozen=True)
class BuiltAlone:
    """A layer that was built: where it is, and what is told of it."""

    layer: PublishedLayer
    folder: Path
    keyids: tuple[str, ...]
    components: int
    licences: int
    asks: tuple[str, ...]
    notes: tuple[str, ...]


def layer_tag(name: str) -> str:
    """Return the store's tag of the last build of a layer."""
    return f"layer/{name}"


def find_layer(folder: Path, name: str = "", architecture: str = "") -> tuple[LayerFile, Path]:
    """Return the layer that is meant, and the folder that its paths are relative to.

    `folder` holds a layer.yaml, or a product file whose layer `name` is taken. Raises ConfigError when it is not clear.
    """
    file = folder if folder.is_file() else folder / LAYER_FILE
    if file.is_file() and file.name != PRODUCT_FILE:
        spec = load_layer_file(file)
        if name and name != spec.layer:
            raise ConfigError(f"{file} is not the layer {name}", f"it is {spec.layer}", "leave the name out")
    else:
        file = folder if folder.is_file() else folder / PRODUCT_FILE
        if not file.is_file():
            raise ConfigError(f"there is no {LAYER_FILE} in {folder}", "nor a product file", "see docs/layers.md")
        spec = _of_product(file, name, architecture)
    if architecture and architecture != spec.architecture:
        spec = msgspec.structs.replace(spec, architecture=architecture)
    return spec, file.parent.resolve()


def _of_product(file: Path, name: str, architecture: str) -> LayerFile:
    product = load_product(file)
    if name not in product.layers:
        raise ConfigError(
            f"the product has no layer {name}" if name else "which layer of the product?",
            f"it has: {', '.join(product.layers)}",
            "name one of them: pycontainer layer build NAME",
        )
    layer = product.layers[name]
    return layer_of_product(
        file, name, layer, product.supplier, version=layer.version or product.version,
        architecture=architecture or product.machine.rpartition("-")[2],
    )  # fmt: skip


def build_alone(spec: LayerFile, root: Path, reporter: Reporter) -> BuiltAlone:
    """Build a layer and put it, signed by its team's keys, into the store beside its file; the last build has a tag.

    The same inputs give the same bytes with the same squashfs-tools. Raises what building a product's layer does.
    """
    name = spec.layer
    product = _pseudo_product(spec)
    place = Workspace(root / LAYER_FILE, name, product.machine)
    with place.locked():
        keys = product_keys(spec.signing_keys)
        signers = keys.signers()
        around = _surroundings(spec, place)
        source = _source(spec, product, place, reporter)
        # What confines it is made by the product that takes it; what is here is its files. They get the places that a
        # product may want to mount over, for they are not packed again.
        options = replace(
            run_options(name, spec, root), seccomp="unconfined", apparmor="unconfined", network="bridge", ports=()
        )
        with reporter.step(f"layer {name}") as step:
            built = build_layer(source, options, around)
            step.result = "unchanged" if built.cached else "packed"
        with reporter.step("documents"):
            documents = Documents(product, root, None, around, place.sbom, place.build / "licences").container(
                name, spec.kind, spec.version, {"rootfs": built.blobs["rootfs"]}, None,
                _origin(spec), source, options.files,
            )  # fmt: skip
        store = Store.open_or_create(place.store)
        with reporter.step("publish into the store") as step, store.writing():
            bones, image, volumes = _bones(source, options, around, spec.architecture)
            rootfs = built.blobs["rootfs"]
            parts = {
                "rootfs": store.put_blob(rootfs.path, expected=rootfs.digest),
                "tree": store.put_blob(bones),
                "document": store.put_blob(canonical_json(msgspec.to_builtins(documents.document))),
            }
            config = LayerConfig(
                name=name, version=spec.version, kind=spec.kind, architecture=spec.architecture,
                created=created_at(around.source_date_epoch), supplier=spec.supplier.name if spec.supplier else "",
                image=image, run=wishes(spec) | volumes,
            )  # fmt: skip
            with store.together():
                layer = assemble_layer(store, config, parts, rootfs.fsverity)
                for kind, data in sorted(documents.formats().items()):
                    store.attach(layer.descriptor, kind, [store.put_blob(data, media_type=kind)])
                sign_layer(store, layer, signers)
                store.tag(layer_tag(name), layer.descriptor)
            step.result = f"{layer.short}, signed"
    return BuiltAlone(
        layer, root, tuple(signer.public.keyid for signer in signers), len(documents.document.components),
        len({each.concluded for each in documents.document.components if each.concluded}),
        tuple(asked_for(spec)), built.notes,
    )  # fmt: skip


def last_built(root: Path, name: str) -> tuple[Store, PublishedLayer]:
    """Return the last build of a layer and its store; raises ConfigError when there is none."""
    from orchestrator.publish import read_layer

    store = Store(root / ".pycontainer" / "store")
    found = store.resolve(layer_tag(name)) if (store.root / "oci-layout").exists() else None
    if found is None:
        raise ConfigError(f"the layer {name} was not built", "", "build it: pycontainer layer build")
    return store, read_layer(store, found.digest)


def wishes(layer: Layer) -> dict[str, Any]:
    """Return what a layer's file says beyond the defaults, in the file's words, but for what it is made of."""
    defaults = defaults_of(Layer)
    found = {}
    for field in Layer.__struct_fields__:
        value = getattr(layer, field)
        if field not in _NOT_PUBLISHED and value != defaults.get(field, msgspec.UNSET):
            found[encoded(Layer, field)] = msgspec.to_builtins(value)
    return found


def asked_for(layer: Layer) -> list[str]:
    """Return what a layer asks for beyond the default confinement, a few words each, sorted."""
    found: set[str] = set()
    for each in layer.relax:
        found |= {f"capability {name}" for name in each.capabilities}
        found |= {f"control verb {verb}" for verb in each.control}
        found |= {
            f"device {d.path} ({d.kind} {d.major}:{d.minor}, {letter})" for d in each.devices for letter in d.access
        }
        named: Mapping[str, str | None] = {
            "network": each.network,
            "seccomp": each.seccomp,
            "apparmor": each.apparmor,
            "newPrivileges": each.new_privileges,
            "userNamespace": each.user_namespace,
        }
        found |= {f"{key} {value}" for key, value in named.items() if value}
    if layer.bridged:
        found.add("network bridge")
    found |= {f"a published port for its {port.container}/{port.protocol}" for port in layer.published}
    if layer.init != "none":
        found.add(f"init {layer.init}")
    return sorted(found)


def _pseudo_product(spec: LayerFile) -> Product:
    """The layer in the form of a product of one layer: so that all that builds products builds it."""
    values = {field: getattr(spec, field) for field in Layer.__struct_fields__}
    return Product(
        product=spec.layer, version=spec.version, machine=f"layer-{spec.architecture}", supplier=spec.supplier,
        components=spec.components, layers={spec.layer: Layer(**values)},
    )  # fmt: skip


def _surroundings(spec: LayerFile, place: Workspace) -> Surroundings:
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise ConfigError("SOURCE_DATE_EPOCH is not a time", repr(text[:40]), "give seconds since 1970")
    return Surroundings(
        tools=Tools(),
        cache=LayerCache(place.layers),
        architecture=spec.architecture,
        source_date_epoch=int(text or BEGINNING),
        seccomp_profile=place.build / "no-seccomp-profile",
        log=place.logs / "layers.log",
    )


def _source(spec: LayerFile, product: Product, place: Workspace, reporter: Reporter) -> LayerSource:
    if (reference := spec.source.reference) is not None:
        platform = parse_platform(spec.source.platform or f"linux/{spec.architecture}")
        pins = pinned_images(product, place, reporter)
        return image_source(reference, platform, place.root, registry_images(place, pins, reporter))
    if spec.source.tar:
        return TarSource(place.root / spec.source.tar)
    return folder_source(place.root / (spec.source.directory or ""), spec.kind)


def _origin(spec: LayerFile) -> str:
    given = spec.source
    return (
        f"image {given.image}" if given.image else f"tar {given.tar}" if given.tar else f"directory {given.directory}"
    )


def _bones(
    source: LayerSource, options: RunOptions, around: Surroundings, architecture: str
) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Return the skeleton of what was packed, the image's own configuration, and the volumes with their owners: those
    of the places in the image are known for now only, before the places that it lacks are made."""
    with opened(source, around) as loaded:
        for item in options.files:
            add_files(loaded.tree, item, around.source_date_epoch)
        image = dict(loaded.config)
        run = make_run_config(
            parse_image_config(image), options, loaded.tree, architecture=architecture, profile={},
            mtime=around.source_date_epoch, kernel=around.kernel,
        )  # fmt: skip
        volumes = [
            {"name": each.name, "destination": each.destination, "kind": each.kind, "readOnly": each.read_only,
             "mode": f"{0o755 if each.mode is None else each.mode:04o}", "uid": each.uid or 0, "gid": each.gid or 0}
            for each in run.volumes
        ]  # fmt: skip
        return skeleton(loaded.tree), image, {"volumes": volumes} if volumes else {}
