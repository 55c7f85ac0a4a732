# SPDX-License-Identifier: MIT
"""From what was deployed and what the product file names to the layers of a revision, each with its SPDX document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from orchestrator.build.containers import (
    check_platform,
    check_waits,
    container_layer,
    image_source,
    reachable_ports,
    run_options,
)
from orchestrator.build.documents import Documents, LayerDocuments
from orchestrator.build.images import RegistryImages
from orchestrator.build.platform import kernel_arguments
from orchestrator.build.published import Taken
from orchestrator.canonical import hex_of, sha256_digest
from orchestrator.deploy import Deploy, DeployLayer, Kind
from orchestrator.errors import BuildError
from orchestrator.layers import userns
from orchestrator.layers.audit import Relaxation, relaxations
from orchestrator.layers.build import Surroundings, build_layer, pack_tree_layer
from orchestrator.layers.cache import Blob
from orchestrator.layers.inputs import LayerSource, TarSource, bitbake_source, folder_source
from orchestrator.oci.platform import parse_platform
from orchestrator.product.model import Layer, Product
from orchestrator.progress import Reporter
from orchestrator.revision import ContainerLayer, LayerBlob, PlatformLayer, boot_env, initramfs_with_facts
from orchestrator.sbom import Summary, summarise

RevisionLayer = PlatformLayer | ContainerLayer


class _Part(NamedTuple):
    """A blob of a layer, and whether an earlier build made it."""

    blob: Blob
    cached: bool


@dataclass(frozen=True)
class Assembled:
    """A finished layer: its place in the revision's config, its blobs, its documents, and what to tell of it."""

    layer: RevisionLayer
    blobs: dict[str, Blob]
    documents: LayerDocuments
    relaxations: tuple[Relaxation, ...] = ()
    notes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    cached: bool = False

    @property
    def counts(self) -> Summary:
        """What people are told of the layer's components."""
        return summarise(self.documents.document)

    def revision_blobs(self) -> list[LayerBlob]:
        """Return the blobs as the revision's manifest lists them."""
        return [
            LayerBlob(self.layer.name, role, blob.digest, blob.size, blob.fsverity)
            for role, blob in sorted(self.blobs.items())
        ]


def _has_check(layer: RevisionLayer) -> bool:
    return isinstance(layer, ContainerLayer) and layer.health is not None


@dataclass(frozen=True)
class Assembly:
    """What all layers of one build share."""

    product: Product
    root: Path
    deploy: Deploy
    around: Surroundings
    facts: bytes
    documents: Documents
    reporter: Reporter
    images: RegistryImages
    groups: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)

    def all_layers(self) -> list[Assembled]:
        """Build every layer: the platform's in their order, then the product's in the file's order."""
        platform: tuple[Kind, ...] = ("bootloader", "bsp", "host")
        result = [self._platform(kind) for kind in platform]
        containers = [self._container(name, layer) for name, layer in self.product.layers.items()]
        check_waits(self.product, {each.layer.name for each in containers if _has_check(each.layer)})
        return result + containers

    def _platform(self, kind: Kind) -> Assembled:
        deployed = self.deploy.of_kind(kind)[0]
        with self.reporter.step(f"layer {deployed.name}") as step:
            parts = {"bootloader": self._bootloader, "bsp": self._bsp, "host": self._host}[kind](deployed)
            blobs = {role: part.blob for role, part in parts.items()}
            cached = all(part.cached for part in parts.values())
            documents = self.documents.platform(deployed, blobs)
            blobs = self._with_document(blobs, documents)
            layer = msgspec.convert(
                {
                    "name": deployed.name,
                    "kind": kind,
                    "version": deployed.version,
                    "blobs": {role: blob.digest for role, blob in blobs.items()},
                    "spdx": sha256_digest(documents.spdx3),
                },
                PlatformLayer,
            )
            step.result = "unchanged" if cached else "taken over" if kind != "bsp" else "packed"
        return Assembled(layer, blobs, documents, cached=cached)

    def _with_document(self, blobs: dict[str, Blob], documents: LayerDocuments) -> dict[str, Blob]:
        """Add the layer's document to its blobs, when the product wants it on the device."""
        if not self.product.sbom.device:
            return blobs
        return {**blobs, "sbom": self._keep(documents.spdx3).blob}

    def _keep(self, data: bytes) -> _Part:
        """Put bytes into the cache as they are; tells whether they were there."""
        cached = (self.around.cache.blobs / hex_of(sha256_digest(data))).exists()
        return _Part(self.around.cache.add_bytes(data), cached)

    def _plain(self, deployed: DeployLayer, role: str) -> _Part:
        if role not in deployed.files:
            raise BuildError(f"the {deployed.kind} layer has no {role}", f"the recipe {deployed.recipe} deploys it not")
        return self._keep(self.deploy.verified(deployed.files[role]).read_bytes())

    def _bootloader(self, deployed: DeployLayer) -> dict[str, _Part]:
        roles = [role for role in ("efi", "board") if role == "efi" or role in deployed.files]
        return {role: self._plain(deployed, role) for role in roles}

    def _bsp(self, deployed: DeployLayer) -> dict[str, _Part]:
        parts = {"kernel": self._plain(deployed, "kernel")}
        if "dtb" in deployed.files:
            parts["dtb"] = self._plain(deployed, "dtb")
        for role in ("modules", "firmware"):
            if role in deployed.files:
                packed = pack_tree_layer(bitbake_source(self.deploy, deployed, role), deployed.name, role, self.around)
                parts[role] = _Part(packed.blobs[role], packed.cached)
        return parts

    def _host(self, deployed: DeployLayer) -> dict[str, _Part]:
        initramfs = initramfs_with_facts(self.deploy.verified(deployed.files["initramfs"]), self.facts)
        arguments = [word for layer in self.deploy.of_kind("bsp") for word in layer.command_line]
        arguments += kernel_arguments(self.product)
        return {
            "initramfs": self._keep(initramfs),
            "boot-env": self._keep(boot_env(arguments)),
        }

    def _container(self, name: str, layer: Layer) -> Assembled:
        check_platform(name, layer, self.around.architecture)
        source, deployed = self._source(name, layer)
        options = run_options(name, layer, self.root, userns.bases(self.product.layers)[name])
        with self.reporter.step(f"layer {name}") as step:
            built = build_layer(source, options, self.around)
            version = layer.version or (deployed.version if deployed else self.product.version)
            given = layer.source
            origin = f"image {given.image}" if given.image else f"tar {given.tar}" if given.tar else ""
            origin = origin or f"directory {given.directory}"
            origin = f"recipe {deployed.recipe}" if deployed else origin
            if (taken := self.taken.get(name)) is not None:
                documents = self.documents.published(
                    name, layer.kind, version, built.blobs, taken.document(), taken.origin
                )
            else:
                documents = self.documents.container(
                    name, layer.kind, version, built.blobs, deployed, origin, source, options.files
                )
            step.result = "unchanged" if built.cached else "packed"
            blobs = self._with_document(built.blobs, documents)
        entry = container_layer(options, layer, version, built, sha256_digest(documents.spdx3), self.groups[name])
        entry = msgspec.structs.replace(entry, blobs={role: blob.digest for role, blob in blobs.items()})
        return Assembled(
            entry,
            blobs,
            documents,
            tuple(relaxations(options)),
            built.notes,
            reachable_ports(layer, built),
            built.cached,
        )

    def _source(self, name: str, layer: Layer) -> tuple[LayerSource, DeployLayer | None]:
        if layer.source.bitbake:
            deployed = self.deploy.layer(layer.source.bitbake)
            if deployed is None:
                raise BuildError(f"BitBake deployed nothing for layer {name}", f"recipe {layer.source.bitbake}")
            return bitbake_source(self.deploy, deployed), deployed
        if name in self.taken:
            return self.taken[name].source(), None
        if (reference := layer.source.reference) is not None:
            platform = parse_platform(layer.source.platform or f"linux/{self.around.architecture}")
            return image_source(reference, platform, self.root, self.images), None
        if layer.source.tar:
            return TarSource(self.root / layer.source.tar), None
        return folder_source(self.root / (layer.source.directory or ""), layer.kind), None
