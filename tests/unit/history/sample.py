# SPDX-License-Identifier: MIT
"""A product in small whose builds are made in milliseconds: blobs, documents, source, signature, candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator.canonical import sha256_digest
from orchestrator.history.names import Names
from orchestrator.history.record import Recorded, commit
from orchestrator.history.source import SourceFile, SourceList, attach_source
from orchestrator.oci import Store
from orchestrator.oci.files import Files
from orchestrator.revision import (
    CYCLONEDX_TYPE,
    LAYER,
    SPDX_TYPE,
    LayerBlob,
    Revision,
    assemble,
    media_type,
    set_candidate,
)
from orchestrator.trust import ProductKeys, load_keys, product_keys, sign_revision
from tests.unit.bundle.conftest import fields
from tests.unit.revision.sample import FSVERITY, sample_config, store_blobs

MACHINE = "qemu-amd64"
PRODUCT_TEXT = """\
product: demo
version: {version}
machine: qemu-amd64
layers:
  web:
    kind: app
    from: {{directory: web}}
    files:
      - {{source: www, destination: /srv/www}}
"""


def document(layer: str, packages: Mapping[str, tuple[str, str]]) -> bytes:
    """An SPDX 3.0.1 document of a layer in the form that builds write: packages by name with version and licence."""
    base = f"urn:uuid:{layer}#"
    graph: list[dict[str, object]] = [
        {"type": "software_Package", "spdxId": f"{base}layer", "name": layer, "software_packageVersion": "1"}
    ]
    for name, (version, licence) in packages.items():
        graph += [
            {"type": "software_Package", "spdxId": f"{base}{name}", "name": name, "software_packageVersion": version,
             "software_packageUrl": f"pkg:deb/debian/{name}@{version}?arch=amd64&distro=debian-13"},
            {"type": "software_Package", "spdxId": f"{base}src-{name}", "name": name,
             "software_primaryPurpose": "source", "software_packageVersion": version},
            {"type": "Relationship", "spdxId": f"{base}g-{name}", "relationshipType": "generates",
             "from": f"{base}src-{name}", "to": [f"{base}{name}"]},
            {"type": "simplelicensing_LicenseExpression", "spdxId": f"{base}licence-{name}",
             "simplelicensing_licenseExpression": licence},
            {"type": "Relationship", "spdxId": f"{base}l-{name}", "relationshipType": "hasConcludedLicense",
             "from": f"{base}{name}", "to": [f"{base}licence-{name}"]},
        ]  # fmt: skip
    graph.append({"type": "Relationship", "spdxId": f"{base}contains", "relationshipType": "contains",
                  "from": f"{base}layer", "to": [f"{base}{name}" for name in packages]})  # fmt: skip
    return json.dumps({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph}).encode()


WEB = {"nginx": ("1.26", "BSD-2-Clause"), "zlib": ("1.3", "Zlib")}


class Works:
    """A product's folder with its store and keys."""

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.files = files
        self.store = Store.open_or_create(folder / ".pycontainer" / "store", files)
        self.names = Names(self.store, MACHINE)

    @property
    def keys(self) -> ProductKeys:
        return product_keys("demo")

    def write(self, version: str = "1.0.0", page: str = "hello") -> None:
        """Write the product's own files."""
        (self.folder / "pycontainer.yaml").write_text(PRODUCT_TEXT.format(version=version))
        for path, text in (("www/index.html", page), ("web/program", "#!/bin/sh\n")):
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_text(text)

    def build(
        self,
        version: str = "1.0.0",
        web: str = "web squashfs",
        packages: Mapping[str, tuple[str, str]] = WEB,
        formats: tuple[str, ...] = (SPDX_TYPE, CYCLONEDX_TYPE),
        **changes: object,
    ) -> Revision:
        """Do to the store what a build does; `changes` are of the revision's configuration."""
        self.write(version, web)
        store = self.store
        with store.together():
            blobs = [each for each in store_blobs(store) if (each.layer, each.role) != ("web", "rootfs")]
            blob = store.put_blob(b"squashfs of " + web.encode(), media_type=media_type("rootfs"))
            blobs.append(LayerBlob("web", "rootfs", blob.digest, blob.size, FSVERITY))
            config = sample_config(blobs)
            texts = {
                layer.name: document(layer.name, packages if layer.name == "web" else {"libc6": ("2.41", "LGPL-2.1")})
                for layer in config.layers
            }
            layers = [
                type(layer)(**{**fields(layer), "spdx": sha256_digest(texts[layer.name])}) for layer in config.layers
            ]
            values: dict[str, object] = {"version": version, "layers": layers} | changes
            revision = assemble(store, sample_config(blobs, **values), blobs)
            for name, text in texts.items():
                for kind in formats:
                    data = text if kind == SPDX_TYPE else b'{"components":["%s"]}' % name.encode()
                    part = store.put_blob(data, media_type=kind)
                    store.attach(revision.descriptor, kind, [part], annotations={LAYER: name})
            attach_source(store, revision, *self.source())
            sign_revision(store, revision, self.keys.signers())
            set_candidate(store, revision)
            store.pack(revision.id)
        with store.together():
            whole = store.put_blob(b"the document of an image with " + revision.id.encode(), media_type=SPDX_TYPE)
            store.attach(revision.descriptor, SPDX_TYPE, [whole])
        return revision

    def source(self) -> tuple[SourceList, dict[str, bytes]]:
        """The product's files as they are."""
        paths = ["pycontainer.yaml", "web/program", "www/index.html"]
        contents = {path: (self.folder / path).read_bytes() for path in paths}
        files = [SourceFile(path, sha256_digest(data), len(data)) for path, data in contents.items()]
        return SourceList(schema_version=1, files=files, folders=["web", "www"]), contents

    def commit(self, message: str, **more: object) -> Recorded:
        """Commit the candidate."""
        return commit(self.names, self.keys, message, **more)  # type: ignore[arg-type]

    def history(self, *messages: str, formats: tuple[str, ...] = (SPDX_TYPE, CYCLONEDX_TYPE)) -> list[Revision]:
        """Build and commit a change for each message."""
        return [
            (self.build(f"1.0.{number}", f"web {message}", formats=formats), self.commit(message).revision)[1]
            for number, message in enumerate(messages)
        ]


def open_keys() -> ProductKeys:
    """The keys of the sample product."""
    return load_keys("demo")
