# SPDX-License-Identifier: MIT
"""What the commands of compliance work on: documents of the last build, of a revision, or of files, and the house's
rules beside the product file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.build.imaging import tools_of
from orchestrator.build.workspace import Workspace, workspace
from orchestrator.canonical import read_limited, sha256_digest, write_atomically
from orchestrator.compliance import attest, flashfile, library, notice
from orchestrator.compliance import sources as listed
from orchestrator.compliance.attest import Attested, Reference, Subject
from orchestrator.compliance.bill import Bill
from orchestrator.compliance.bundle import Bundle, bundled, make_bundle
from orchestrator.compliance.bundle.debian import Indexes
from orchestrator.compliance.bundle.mirror import download, mirrors
from orchestrator.compliance.bundle.record import record
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.policy import POLICY_FILE, Policy, load_policy
from orchestrator.compliance.release import Release, of_files, of_folder, of_revision
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import ConfigError, PyContainerError, VerificationError
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE, find_product_file, load_product
from orchestrator.product.model import Product
from orchestrator.revision import Revision
from orchestrator.run import Tools
from orchestrator.sbom import sourcehashes
from orchestrator.trust import load_keys, product_keys, verify_revision

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What a command asks about: a product's folder, or document files; a revision in place of the last build."""

    place: Path = Path()
    machine: str | None = None
    revision: str = ""
    documents: tuple[Path, ...] = ()
    policy: Path | None = None


class Answer:
    """The documents that a question means, with everything around them; what is not there is None or empty."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self._hashes: dict[Path, dict[str, str]] = {}
        self.product: Product | None = None
        self.place: Workspace | None = None
        if not question.documents or (question.place / PRODUCT_FILE).is_file() or question.place.is_file():
            file = find_product_file(question.place)
            self.product = load_product(file)
            self.place = workspace(file, self.product, question.machine)

    @cached_property
    def revision(self) -> Revision | None:
        """The revision that was named, or the last build's where there is one."""
        if self.place is None or (self.question.documents and not self.question.revision):
            return None
        if not (self.place.store / "oci-layout").exists() and not self.question.revision:
            return None
        try:
            names = Names(Store.open(self.place.store), self.place.machine)
            return names.load(self.question.revision or CANDIDATE)
        except PyContainerError:
            if self.question.revision:
                raise
            return None

    @cached_property
    def release(self) -> Release:
        """The documents; see `Release`."""
        if self.question.documents:
            return of_files(self.question.documents)
        assert self.place is not None
        if self.question.revision:
            assert self.revision is not None
            return of_revision(Store.open(self.place.store), self.revision)
        return of_folder(self.place.sbom)

    @property
    def bill(self) -> Bill:
        """Everything in one bill."""
        return self.release.bill

    @cached_property
    def policy(self) -> Policy:
        """The policy that was named, or the one beside the product file, or the default one."""
        if self.question.policy is not None:
            if not self.question.policy.is_file():
                raise ConfigError(f"there is no policy at {self.question.policy}", "", "name a file")
            return load_policy(self.question.policy)
        return load_policy(self.place.root / POLICY_FILE) if self.place else Policy()

    @cached_property
    def deploy(self) -> Deploy | None:
        """What BitBake handed over in the last build."""
        if self.place is None or not (self.place.deploy / MANIFEST_NAME).exists():
            return None
        return Deploy(self.place.deploy)

    def copyright_files(self) -> dict[str, str]:
        """Return the copyright files that the build collected, by digest."""
        if self.deploy is None:
            return {}
        archives = [
            self.deploy.resolve(layer.copyright.path) for layer in self.deploy.manifest.layers if layer.copyright
        ]
        return dict(library.copyright_files(path for path in archives if path.exists()))

    def notice(self, layer: str = "") -> notice.Notice:
        """Return the notice of the release or of one layer; raises ConfigError when there is no such layer."""
        self.know(layer)
        offer = self.policy.written_offer()
        text = ""
        if offer is not None:
            owed = sum(source.owed for source in listed.sources(self.bill, layer))
            text = listed.written_offer(self.title, offer, len(self.bill.layers), owed)
        return notice.build(self.bill, self.copyright_files(), layer=layer, offer=text)

    @property
    def title(self) -> str:
        """Product and version as people say them."""
        if self.product is not None:
            return f"{self.product.product} {self.product.version}"
        return self.bill.name.partition(":")[0]

    def know(self, layer: str) -> None:
        """Raise ConfigError when a layer that was named is not in the documents."""
        names = [each.name for each in self.bill.layers]
        if layer and layer not in names:
            raise ConfigError(f"there is no layer {layer}", f"the layers are: {', '.join(names)}", "name one of them")

    def surroundings(
        self,
        *,
        epoch: int | None = None,
        image: Path | None = None,
        attestation: Path | None = None,
        rebuilt: Path | None = None,
        sources: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Surroundings]:
        """Return what each document is checked against, by its name; the image's is under its own.

        Without `image` and `attestation` those of the last build are taken where they are. `rebuilt` is a folder with
        the documents of another build.
        """
        made = self.notice()
        if epoch is None and self.deploy is not None:
            epoch = self.deploy.manifest.source_date_epoch
        base = Surroundings(
            epoch=epoch,
            texts=notice.listed_texts(made),
            notice=notice.as_text(made),
            offer=self.policy.written_offer(),
            bundled=bundled(sources) if sources else frozenset(),
            installation_information=bool(self.policy.installation_information),
        )
        whole = self.release.image
        part = dataclasses.replace(base, part=whole is not None)
        result = {document.name: part for document in self.release.layers.values()}
        if whole is None:
            return result
        image = image or (self.place.image if self.place and self.place.image.exists() else None)
        path = attestation or (self.attestation if self.attestation and self.attestation.exists() else None)
        result[whole.name] = dataclasses.replace(
            base,
            layers={name: document.bill for name, document in self.release.layers.items()} or None,
            image=self.hashes(image, progress) if image else None,
            blobs=flashfile.blobs(image, tools_of(self.deploy) if self.deploy else Tools()) if image else None,
            signed=None if path is None else lambda: list(self.verify(path).keyids),
            original=whole.digest.encode() if rebuilt else None,
            rebuilt=sha256_digest(read_limited(rebuilt / whole.name, 1 << 30)).encode() if rebuilt else None,
        )
        return result

    @property
    def attestation(self) -> Path | None:
        """Where a build's attestation lies."""
        return self.place.sbom / "attestation.intoto.json" if self.place else None

    def hashes(self, image: Path, progress: Progress | None = None) -> dict[str, str]:
        """Return an image's hashes by algorithm, read once a command."""
        if image not in self._hashes:
            self._hashes[image] = flashfile.hashes(image, progress)
        return self._hashes[image]

    def subjects(self, image: Path | None = None) -> list[Subject]:
        """Return what is attested: the image, the revision, and every blob of every layer."""
        subjects = [
            Subject(f"{layer.name}", f"sha256:{value}")
            for layer in self.bill.layers
            for algorithm, value in layer.hashes
            if algorithm == "sha256"
        ]
        if image is not None:
            subjects.append(Subject(image.name, "sha256:" + self.hashes(image)["sha256"]))
        if self.revision is not None:
            subjects.append(Subject("revision", self.revision.id))
        return subjects

    def references(self) -> list[Reference]:
        """Return the documents as an attestation points at them."""
        return [Reference(each.name, each.digest, each.media_type) for each in self.release.documents()]

    def attest(self, out: Path, image: Path | None = None) -> list[Subject]:
        """Sign an attestation with the product's keys and write it; returns what it is about."""
        if self.product is None:
            raise ConfigError("whose keys sign?", "no product was named", "name the product's folder")
        subjects = self.subjects(image)
        write_atomically(out, attest.attest(subjects, self.references(), product_keys(self.product.product).signers()))
        return subjects

    def verify(self, path: Path, image: Path | None = None) -> Attested:
        """Check an attestation against the documents, the image and the product's keys; see `attest.verify`."""
        if self.product is None:
            raise ConfigError("whose keys count?", "no product was named", "name the product's folder")
        keys = load_keys(self.product.product)
        try:
            data = read_limited(path, 4 * attest.LIMIT)
        except OSError as problem:
            raise VerificationError(
                f"there is no attestation at {path}", problem.strerror or "", "make one: pycontainer sbom attest"
            ) from problem
        return attest.verify(
            data, keys.public_keys(), keys.threshold, subjects=self.subjects(image), references=self.references()
        )

    def fetch_sources(
        self, chosen: Sequence[listed.Source], out: Path, cache: Path, progress: Progress | None = None
    ) -> Bundle:
        """Make the source bundle of those sources in a folder; see `make_bundle`."""
        cache.mkdir(parents=True, exist_ok=True)
        main, security = mirrors(os.environ)
        return make_bundle(chosen, out, Indexes(main, security, cache, download), download, progress=progress)

    def record_sources(self, cache: Path) -> tuple[Path, int, list[listed.Source]]:
        """Record the hashes of the documents' sources beside the product file, for the next build.

        What was recorded before of sources that the documents still have stays. Returns the file, how many sources it
        has now, and those that no index has. Raises ConfigError without a product, FetchError or TrustError.
        """
        if self.place is None:
            raise ConfigError("where is it recorded?", "no product was named", "name the product's folder")
        cache.mkdir(parents=True, exist_ok=True)
        path = self.place.root / sourcehashes.SOURCES_FILE
        here = list(listed.sources(self.bill))
        found, left = record(here, Indexes(*mirrors(os.environ), cache, download))
        known = {uri: entry for uri, entry in sourcehashes.load(path).items() if uri in {each.uri for each in here}}
        write_atomically(path, sourcehashes.encode(known | found))
        return path, len(known | found), [each for each in left if each.uri not in known]


def signatures(asked: Answer) -> list[tuple[str, str]]:
    """Return what is signed and by whom, one line each for people; what does not verify is said and not raised."""
    found: list[tuple[str, str]] = []
    if asked.product is None or asked.place is None:
        return found
    try:
        keys = load_keys(asked.product.product)
        found.append(("trusted keys", f"{keys.threshold} of {len(keys.keys)} must sign"))
        if asked.revision is not None:
            store = Store.open(asked.place.store)
            report = verify_revision(store, asked.revision, keys.public_keys(), keys.threshold, blobs=False)
            found.append((f"revision {asked.revision.short}", "signed by " + ", ".join(report.keyids)))
    except PyContainerError as problem:
        found.append(("revision", f"does not verify: {problem.what}"))
    try:
        if asked.attestation is not None and asked.attestation.exists():
            image = asked.place.image if asked.place.image.exists() else None
            attested = asked.verify(asked.attestation, image)
            found.append(("attestation of the documents", "signed by " + ", ".join(attested.keyids)))
        else:
            found.append(("attestation of the documents", "none: pycontainer sbom attest makes it"))
    except PyContainerError as problem:
        found.append(("attestation of the documents", f"does not verify: {problem.what}"))
    return found
