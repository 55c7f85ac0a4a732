# SPDX-License-Identifier: MIT
"""The documents of a build: what each layer is made of is looked up once, and written in every format."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.build.contained import Contained, container_files, given_document, platform_files
from orchestrator.build.curated import Curated
from orchestrator.build.layerfiles import LayerFiles
from orchestrator.build.origins import Origin
from orchestrator.build.stamp import tree_fingerprint
from orchestrator.canonical import canonical_json, hash_file, hex_of, read_limited, sha256_digest, write_atomically
from orchestrator.deploy import Deploy, DeployLayer, Kind
from orchestrator.errors import BuildError, VerificationError
from orchestrator.layers.build import Surroundings
from orchestrator.layers.cache import Blob
from orchestrator.layers.inputs import LayerSource
from orchestrator.layers.options import FileMapping
from orchestrator.product.model import Product
from orchestrator.revision import CYCLONEDX_TYPE, SPDX23_TYPE, SPDX_TYPE
from orchestrator.sbom import Blob as SbomBlob
from orchestrator.sbom import (
    Document,
    LayerFacts,
    check_spdx23,
    cyclonedx_bytes,
    layer_document,
    sourcehashes,
    spdx3_bytes,
    spdx23_bytes,
)
from orchestrator.sbom import Product as SbomProduct
from orchestrator.sbom.handmade import Handmade
from orchestrator.sbom.handmade import read as read_handmade

DOCUMENT_LIMIT = 1024 * 1024 * 1024
_MOUNTS = {"rootfs": "/", "initramfs": "/", "modules": "/lib/modules", "firmware": "/lib/firmware"}


@dataclass(frozen=True)
class LayerDocuments:
    """What is known of a layer, and the same as bytes in each format."""

    document: Document
    spdx3: bytes
    spdx23: bytes
    cyclonedx: bytes

    def formats(self) -> dict[str, bytes]:
        """Return the documents by media type."""
        return {SPDX_TYPE: self.spdx3, SPDX23_TYPE: self.spdx23, CYCLONEDX_TYPE: self.cyclonedx}


@dataclass(frozen=True)
class Documents:
    """Makes the documents of a build's layers; `folder` is where people find them, `cache` keeps what was found.

    `deploy` is None when a layer is built by itself.
    """

    product: Product
    root: Path
    deploy: Deploy | None
    around: Surroundings
    folder: Path
    cache: Path

    @property
    def base(self) -> Deploy:
        """What BitBake handed over."""
        if self.deploy is None:
            raise BuildError("nothing was deployed", "a layer by itself has no base")
        return self.deploy

    @functools.cached_property
    def owner(self) -> SbomProduct:
        """Whose product it is, in the words of `orchestrator.sbom`."""
        supplier = self.product.supplier
        return SbomProduct(
            self.product.product,
            self.product.version,
            supplier.name if supplier else "",
            supplier.contact if supplier else "",
        )

    @functools.cached_property
    def by_hand(self) -> list[Handmade]:
        """What the product's component files say; raises ConfigError for a broken one."""
        return [each for name in self.product.components for each in read_handmade(self.root / name)]

    @functools.cached_property
    def curated(self) -> Curated:
        """What people concluded of licences."""
        return Curated(self.root)

    @functools.cached_property
    def sources(self) -> dict[str, sourcehashes.Recorded]:
        """The hashes of source packages that were recorded; raises ConfigError for a broken file."""
        return sourcehashes.load(self.root / sourcehashes.SOURCES_FILE)

    def platform(self, deployed: DeployLayer, blobs: Mapping[str, Blob]) -> LayerDocuments:
        """Return the documents of the boot loader, the BSP or the host."""
        return self._layer(
            deployed.name,
            deployed.kind,
            deployed.version,
            blobs,
            deployed,
            f"recipe {deployed.recipe}",
            lambda workspace: platform_files(self.base, deployed, blobs, self.around, workspace),
        )

    def container(
        self,
        name: str,
        kind: Kind,
        version: str,
        blobs: Mapping[str, Blob],
        deployed: DeployLayer | None,
        origin: str,
        source: LayerSource,
        files: Sequence[FileMapping],
    ) -> LayerDocuments:
        """Return the documents of a container; `source` gives its files, `files` are the product's own on top."""

        def load(workspace: Path) -> Contained:
            return container_files(source, self.product.layers[name].source, files, self.around, workspace)

        # Two images can have the same files: which one it was counts, too.
        given = self.product.layers[name].source
        exactly = source.digest() if given.image else ""
        written = given_document(self.root, name, given)
        if written is not None:
            exactly = hash_file(written)
        return self._layer(name, kind, version, blobs, deployed, origin, load, exactly, written)

    def published(
        self, name: str, kind: Kind, version: str, blobs: Mapping[str, Blob], known: Document, origin: str
    ) -> LayerDocuments:
        """Return the documents of a layer that a team published: what it knew of it, under the product's name for it.

        `origin` says in words where it came from and who signed it.
        """
        layer = replace(
            known.layer,
            name=name,
            kind=kind,
            version=version,
            blobs=tuple(self._blob(role, blob) for role, blob in sorted(blobs.items())),
            origin=origin,
        )
        document = replace(known, layer=layer, product=self.owner, created=self.around.source_date_epoch)
        return self._written(sourcehashes.apply(self.curated.apply(document), self.sources))

    def _layer(
        self,
        name: str,
        kind: Kind,
        version: str,
        blobs: Mapping[str, Blob],
        deployed: DeployLayer | None,
        origin: str,
        load: Callable[[Path], Contained],
        exactly: str = "",
        written: Path | None = None,
    ) -> LayerDocuments:
        hand = tuple(each for each in self.by_hand if each.component.layer == name)
        files = (
            [file for file in (deployed.spdx, deployed.packages, deployed.copyright, deployed.contents) if file]
            if deployed
            else []
        )
        key = sha256_digest(
            canonical_json(
                [
                    code_digest(),
                    [name, kind, version, self.around.architecture, origin, exactly],
                    self.around.source_date_epoch,
                    {role: blob.digest for role, blob in blobs.items()},
                    [file.digest for file in files],
                    msgspec.to_builtins(hand),
                    msgspec.to_builtins(self.owner),
                ]
            )
        )
        document = self._known(key)
        if document is None:
            document = self._made(name, kind, version, blobs, deployed, origin, load, hand, written)
            write_atomically(self._record(key), msgspec.json.encode(document))
        return self._written(sourcehashes.apply(self.curated.apply(document), self.sources))

    def _made(
        self,
        name: str,
        kind: Kind,
        version: str,
        blobs: Mapping[str, Blob],
        deployed: DeployLayer | None,
        origin: str,
        load: Callable[[Path], Contained],
        hand: tuple[Handmade, ...],
        written: Path | None,
    ) -> Document:
        def verified(file: Any) -> Path | None:
            return self.base.verified(file) if file else None

        with _workspace(self.cache) as workspace:
            found = load(workspace)
            came = found.origin or Origin(origin)
            with LayerFiles(found.tree) as tree:
                facts = LayerFacts(
                    name=name,
                    kind=kind,
                    version=version,
                    architecture=self.around.architecture,
                    blobs=tuple(self._blob(role, blob) for role, blob in sorted(blobs.items())),
                    origin=came.words,
                    origin_uri=came.uri,
                    base_image=came.base,
                    spdx=verified(deployed.spdx) if deployed else written,
                    packages=verified(deployed.packages) if deployed else None,
                    copyright=verified(deployed.copyright) if deployed else None,
                    contents=verified(deployed.contents) if deployed else None,
                    tree=tree,
                    images=found.images,
                    own=found.own,
                    removed=found.removed,
                    by_hand=hand,
                )
                epoch = self.around.source_date_epoch
                return layer_document(facts, self.owner, epoch, self.cache / "findings")

    def _blob(self, role: str, blob: Blob) -> SbomBlob:
        with blob.path.open("rb") as stream:
            long = hashlib.file_digest(stream, "sha512").hexdigest()
        partition, path = "storage", f"blobs/sha256/{hex_of(blob.digest)}"
        if role == "efi" and self.deploy is not None:
            partition, path = "esp", f"EFI/BOOT/{self.deploy.efi_name()}"
        return SbomBlob(role, blob.digest, long, blob.size, partition, path, _MOUNTS.get(role, ""))

    def _record(self, key: str) -> Path:
        return self.cache / "documents" / f"{hex_of(key)}.json"

    def _known(self, key: str) -> Document | None:
        try:
            return msgspec.json.decode(read_limited(self._record(key), DOCUMENT_LIMIT), type=Document)
        except (OSError, msgspec.MsgspecError):
            return None

    def _written(self, document: Document) -> LayerDocuments:
        name = document.layer.name
        made = LayerDocuments(document, spdx3_bytes(document), spdx23_bytes(document), cyclonedx_bytes(document))
        if wrong := [finding for finding in check_spdx23(made.spdx23) if finding.severity == "error"]:
            raise VerificationError(
                f"the SPDX document of layer {name} does not pass its checks",
                "; ".join(f"{each.check} {each.element}: {each.message}" for each in wrong[:3]),
                "the base's facts or copyright files are damaged; build again with --force, or report it",
            )
        for path, data in zip(paths_of(self.folder, name), made.formats().values(), strict=True):
            put(path, data)
        return made


def paths_of(folder: Path, name: str) -> list[Path]:
    """Return where the documents of a layer or image are, in each format."""
    return [folder / f"{name}.{suffix}.json" for suffix in ("spdx3", "spdx", "cdx")]


def put(path: Path, data: bytes) -> None:
    """Write a document unless it is there already."""
    if not path.exists() or path.stat().st_size != len(data) or path.read_bytes() != data:
        write_atomically(path, data)


@functools.cache
def code_digest() -> str:
    """Return the digest of the code that decides what a document says."""
    here = Path(__file__).resolve()
    beside = [here.with_name(f"{name}.py") for name in ("contained", "layerfiles", "origins")]
    rooms = [here.parents[1] / "sbom", here.parents[1] / "layers", here, *beside]
    return tree_fingerprint(rooms)


@contextmanager
def _workspace(cache: Path) -> Iterator[Path]:
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".files-", dir=cache) as folder:
        yield Path(folder)
