# SPDX-License-Identifier: MIT
"""From what was deployed and what the product file names to the layers of a revision, each with its SPDX document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from orchestrator.build.containers import container_layer, reachable_ports, run_options
from orchestrator.build.platform import kernel_arguments
from orchestrator.canonical import hex_of, sha256_digest, write_atomically
from orchestrator.deploy import Deploy, DeployLayer, Kind
from orchestrator.errors import BuildError, VerificationError
from orchestrator.layers.audit import Relaxation, relaxations
from orchestrator.layers.build import Surroundings, build_layer, pack_tree_layer
from orchestrator.layers.cache import Blob
from orchestrator.layers.inputs import DirectorySource, LayerSource, TarSource, bitbake_source
from orchestrator.product.model import Layer, Product
from orchestrator.progress import Reporter
from orchestrator.revision import ContainerLayer, LayerBlob, PlatformLayer, boot_env, initramfs_with_facts
from orchestrator.sbom import LayerFacts, check_spdx23, layer_document, spdx23_bytes, summarise
from orchestrator.sbom import Product as SbomProduct
from orchestrator.sbom.summary import Summary

RevisionLayer = PlatformLayer | ContainerLayer


class _Part(NamedTuple):
    """A blob of a layer, and whether an earlier build made it."""

    blob: Blob
    cached: bool


@dataclass(frozen=True)
class Assembled:
    """A finished layer: its place in the revision's config, its blobs, its SPDX document, and what to tell of it."""

    layer: RevisionLayer
    blobs: dict[str, Blob]
    spdx: bytes
    counts: Summary
    relaxations: tuple[Relaxation, ...] = ()
    notes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    cached: bool = False

    def revision_blobs(self) -> list[LayerBlob]:
        """Return the blobs as the revision's manifest lists them."""
        return [
            LayerBlob(self.layer.name, role, blob.digest, blob.size, blob.fsverity)
            for role, blob in sorted(self.blobs.items())
        ]


@dataclass(frozen=True)
class Assembly:
    """What all layers of one build share."""

    product: Product
    root: Path
    deploy: Deploy
    around: Surroundings
    facts: bytes
    sbom_folder: Path
    sbom_cache: Path
    reporter: Reporter
    groups: Mapping[str, int] = field(default_factory=dict)

    def all_layers(self) -> list[Assembled]:
        """Build every layer: the platform's in their order, then the product's in the file's order."""
        platform: tuple[Kind, ...] = ("bootloader", "bsp", "host")
        result = [self._platform(kind) for kind in platform]
        result += [self._container(name, layer) for name, layer in self.product.layers.items()]
        return result

    def _platform(self, kind: Kind) -> Assembled:
        deployed = self.deploy.of_kind(kind)[0]
        with self.reporter.step(f"layer {deployed.name}") as step:
            parts = {"bootloader": self._bootloader, "bsp": self._bsp, "host": self._host}[kind](deployed)
            blobs = {role: part.blob for role, part in parts.items()}
            cached = all(part.cached for part in parts.values())
            document, counts = self._document(deployed.name, kind, deployed.version, blobs, deployed)
            layer = msgspec.convert(
                {
                    "name": deployed.name,
                    "kind": kind,
                    "version": deployed.version,
                    "blobs": {role: blob.digest for role, blob in blobs.items()},
                    "spdx": sha256_digest(document),
                },
                PlatformLayer,
            )
            step.result = "unchanged" if cached else "taken over" if kind != "bsp" else "packed"
        return Assembled(layer, blobs, document, counts, cached=cached)

    def _keep(self, data: bytes) -> _Part:
        """Put bytes into the cache as they are; tells whether they were there."""
        cached = (self.around.cache.blobs / hex_of(sha256_digest(data))).exists()
        return _Part(self.around.cache.add_bytes(data), cached)

    def _plain(self, deployed: DeployLayer, role: str) -> _Part:
        if role not in deployed.files:
            raise BuildError(f"the {deployed.kind} layer has no {role}", f"the recipe {deployed.recipe} deploys it not")
        return self._keep(self.deploy.verified(deployed.files[role]).read_bytes())

    def _bootloader(self, deployed: DeployLayer) -> dict[str, _Part]:
        return {"efi": self._plain(deployed, "efi")}

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
        source, deployed = self._source(name, layer)
        options = run_options(name, layer, self.root)
        with self.reporter.step(f"layer {name}") as step:
            built = build_layer(source, options, self.around)
            version = layer.version or (deployed.version if deployed else self.product.version)
            rootfs = source.path if isinstance(source, TarSource) else None
            origin = f"tar {layer.source.tar}" if layer.source.tar else f"directory {layer.source.directory}"
            document, counts = self._document(name, layer.kind, version, built.blobs, deployed, rootfs, origin)
            step.result = "unchanged" if built.cached else "packed"
        entry = container_layer(options, layer, version, built, sha256_digest(document), self.groups[name])
        return Assembled(
            entry,
            built.blobs,
            document,
            counts,
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
        if layer.source.tar:
            return TarSource(self.root / layer.source.tar), None
        return DirectorySource(self.root / (layer.source.directory or "")), None

    def _document(
        self,
        name: str,
        kind: Kind,
        version: str,
        blobs: Mapping[str, Blob],
        deployed: DeployLayer | None,
        rootfs: Path | None = None,
        origin: str = "",
    ) -> tuple[bytes, Summary]:
        """Make, check and write the layer's SPDX document; returns its bytes and its counts."""
        spdx = self.deploy.verified(deployed.spdx) if deployed and deployed.spdx else None
        copyright_files = self.deploy.verified(deployed.copyright) if deployed and deployed.copyright else None
        facts = LayerFacts(
            name=name,
            kind=kind,
            version=version,
            architecture=self.deploy.manifest.architecture,
            blobs={role: blob.digest for role, blob in blobs.items()},
            origin=f"recipe {deployed.recipe}" if deployed else origin,
            spdx=spdx,
            packages=self.deploy.verified(deployed.packages) if deployed and deployed.packages else None,
            copyright=copyright_files,
            rootfs=rootfs if spdx is None else None,
        )
        supplier = self.product.supplier
        owner = SbomProduct(
            self.product.product,
            self.product.version,
            supplier.name if supplier else "",
            supplier.contact if supplier else "",
        )
        document = layer_document(facts, owner, self.around.source_date_epoch, self.sbom_cache)
        data = spdx23_bytes(document)
        if wrong := [finding for finding in check_spdx23(data) if finding.severity == "error"]:
            raise VerificationError(
                f"the SPDX document of layer {name} does not pass its checks",
                "; ".join(f"{each.check} {each.element}: {each.message}" for each in wrong[:3]),
                "the base's facts or copyright files are damaged; build again with --force, or report it",
            )
        write_atomically(self.sbom_folder / f"{name}.spdx.json", data)
        return data, summarise(document)
