# SPDX-License-Identifier: MIT
"""The documents of one release together: one a layer, the one of the image, and all of them as one bill."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.canonical import read_limited, sha256_digest
from orchestrator.compliance.bill import Bill, Edge
from orchestrator.compliance.read import LIMIT, read_bill
from orchestrator.errors import ConfigError
from orchestrator.oci.layout import Layout
from orchestrator.revision import SPDX23_TYPE, SPDX_TYPE, Revision

_SUFFIXES = (".spdx3.json", ".spdx.json")


@dataclass(frozen=True)
class ReadDocument:
    """A document that was read: the name it goes by, its digest, and its bill. The bytes are not kept."""

    name: str
    digest: str
    bill: Bill

    @property
    def media_type(self) -> str:
        """What a document of its format is called."""
        return SPDX_TYPE if self.bill.format == "SPDX-3.0.1" else SPDX23_TYPE

    @property
    def whole(self) -> bool:
        """Whether it is about an image, not about one layer."""
        return len(self.bill.layers) > 1 or (self.bill.root is not None and self.bill.root.role == "image")


@dataclass(frozen=True)
class Release:
    """All documents of a release. `layers` are by the layer's name; `image` is the aggregate, None without one."""

    layers: dict[str, ReadDocument]
    image: ReadDocument | None = None

    @cached_property
    def bill(self) -> Bill:
        """The bill of everything: the aggregate's, the only layer's, or the layers' joined."""
        if self.image is not None:
            return self.image.bill
        bills = [document.bill for document in self.layers.values()]
        return bills[0] if len(bills) == 1 else joined(bills)

    def documents(self) -> list[ReadDocument]:
        """Return every document, the layers' first."""
        return [*self.layers.values(), *([self.image] if self.image else [])]


def joined(bills: Iterable[Bill]) -> Bill:
    """Return bills of single layers as one, for questions about the whole; ids that may collide are prefixed."""
    found = list(bills)
    first = found[0]
    names = sorted({bill.name.partition(":")[0] for bill in found})
    result = Bill(first.format, name=names[0], created=first.created, creators=first.creators)
    result.list_version, result.data_licence = first.list_version, first.data_licence
    for bill in found:
        label = f"{bill.layers[0].name}:" if bill.layers and bill.format == "SPDX-2.3" else ""
        for identifier, element in bill.elements.items():
            result.elements.setdefault(label + identifier, dataclasses.replace(element, id=label + identifier))
        result.edges += [Edge(edge.kind, label + edge.source, label + edge.target, edge.completeness)
                         for edge in bill.edges]  # fmt: skip
        result.roots += tuple(label + root for root in bill.roots)
        for reference, texts in bill.texts.items():
            known = result.texts.setdefault(reference, [])
            known += [text for text in texts if text not in known]
            result.text_names.setdefault(reference, bill.text_names.get(reference, reference))
    return result


def of_files(paths: Iterable[Path]) -> Release:
    """Return the release that document files make; raises ConfigError or VerificationError naming the file."""
    documents = []
    for path in paths:
        try:
            data = read_limited(path, LIMIT)
        except OSError as problem:
            raise ConfigError(
                f"{path} cannot be read", problem.strerror or str(problem), "name a document"
            ) from problem
        documents.append(ReadDocument(path.name, sha256_digest(data), read_bill(data, str(path))))
    return of_documents(documents)


def of_folder(folder: Path) -> Release:
    """Return the release of a build's folder of documents, SPDX 3.0.1 where there is one, else 2.3."""
    chosen: dict[str, Path] = {}
    for suffix in reversed(_SUFFIXES):
        for path in sorted(folder.glob(f"*{suffix}")):
            chosen[path.name.removesuffix(suffix)] = path
    if not chosen:
        raise ConfigError(
            f"there are no documents in {folder}", "a build writes one a layer there", "build first: pycontainer build"
        )
    return of_files(chosen[name] for name in sorted(chosen))


def of_revision(store: Layout, revision: Revision) -> Release:
    """Return the release of a revision: the documents that its configuration names by digest, and the image's if one
    is attached. Raises VerificationError when one is missing or none."""
    documents = []
    for layer in revision.config.layers:
        data = store.read_blob(layer.spdx, limit=LIMIT)
        documents.append(ReadDocument(layer.name, layer.spdx, read_bill(data, f"the document of layer {layer.name}")))
    named = {layer.spdx for layer in revision.config.layers}
    images: dict[str, ReadDocument] = {}
    for entry in store.referrers(revision.id):
        for blob in store.read_manifest(entry.digest).layers:
            if "spdx" not in blob.media_type or blob.digest in named:
                continue
            document = ReadDocument(blob.digest, blob.digest, read_bill(store.read_blob(blob.digest, limit=LIMIT)))
            if document.whole:
                images[document.bill.format] = document
    newest = images[max(images)] if images else None
    return of_documents([*documents, *([newest] if newest else [])])


def of_documents(documents: Iterable[ReadDocument]) -> Release:
    """Return a release of documents; raises ConfigError when two are about one layer, or two about the image."""
    layers: dict[str, ReadDocument] = {}
    image: ReadDocument | None = None
    for document in documents:
        if document.whole:
            if image is not None:
                raise ConfigError("two documents are about an image", f"{image.name} and {document.name}", "name one")
            image = document
            continue
        name = document.bill.layers[0].name if document.bill.layers else document.name
        if name in layers:
            raise ConfigError(
                f"two documents are about layer {name}", f"{layers[name].name} and {document.name}", "name one of them"
            )
        layers[name] = document
    if not layers and image is None:
        raise ConfigError("no document was given", "", "name one, or build first: pycontainer build")
    return Release(layers, image)
