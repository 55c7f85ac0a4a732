# SPDX-License-Identifier: MIT
"""What a bundle holds, and whether it is whole and signed: offline, by the product's keys alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.bundle.gather import BASE, blobs_of
from orchestrator.bundle.read import Bundle
from orchestrator.canonical import DIGEST
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE, REF_NAME, Descriptor
from orchestrator.revision import (
    RELEASE_TYPE,
    SPDX_TYPE,
    LayerBlob,
    Release,
    Revision,
    read_release,
    read_revision,
)
from orchestrator.trust import ProductKeys, VerificationReport, verify_release, verify_revision

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BundledRevision:
    """A revision of a bundle: the bytes of its blobs, those of them that are here, and the blobs that are not.

    `documents` counts the SPDX documents that are attached to it. `base` is the id of the revision that has what is
    not here, or empty.
    """

    revision: Revision
    base: str
    size: int
    present: int
    absent: tuple[LayerBlob, ...]
    documents: int


@dataclass(frozen=True)
class BundledRelease:
    """A release of a bundle, and the tags that stand for it there."""

    release: Release
    names: tuple[str, ...]


@dataclass
class BundleReport:
    """What `verify` found: for each revision and release the steps of its verification, and what the base must have."""

    revisions: list[tuple[BundledRevision, VerificationReport]] = field(default_factory=list)
    releases: list[tuple[BundledRelease, VerificationReport]] = field(default_factory=list)
    blobs: int = 0
    bytes: int = 0
    unused: list[str] = field(default_factory=list)


def contents(bundle: Bundle) -> list[BundledRevision]:
    """Return the revisions of a bundle, in its order; raises VerificationError when one cannot be read."""
    bases = {entry.digest: entry.annotations.get(BASE, "") for entry in bundle.entries()}
    found = []
    for revision in bundle.revisions():
        blobs = {blob.digest: blob for blob in revision.blobs()}
        absent = tuple(blob for blob in blobs.values() if not bundle.has_blob(blob.digest))
        size = sum(blob.size for blob in blobs.values())
        base = bases[revision.id]
        if base and not DIGEST.match(base):
            raise VerificationError(f"revision {revision.short} names no right base", repr(base[:80]))
        present = size - sum(blob.size for blob in absent)
        documents = len(bundle.referrers(revision.id, SPDX_TYPE))
        found.append(BundledRevision(revision, base, size, present, absent, documents))
    return found


def releases(bundle: Bundle) -> list[BundledRelease]:
    """Return the releases of a bundle, in its order; raises VerificationError when one cannot be read."""
    names: dict[str, list[str]] = {}
    for entry in bundle.entries():
        if _is_release(entry):
            names.setdefault(entry.digest, []).extend(filter(None, [entry.annotations.get(REF_NAME)]))
    return [BundledRelease(read_release(bundle, digest), tuple(sorted(found))) for digest, found in names.items()]


def _is_release(entry: Descriptor) -> bool:
    return entry.media_type == INDEX_TYPE and entry.artifact_type == RELEASE_TYPE


def verify(bundle: Bundle, keys: ProductKeys, *, progress: Progress = lambda done, total: None) -> BundleReport:
    """Read a bundle through and verify its revisions.

    Every blob that something in it names must be here with its digest, or be one of the base that the bundle names;
    every revision must be of the keys' product and signed as they require, and so must every release, whose revisions
    must be here and what it says of them. Raises VerificationError (exit code 5) for what is missing or damaged,
    UnverifiedError (exit code 7) for signatures.
    """
    found = contents(bundle)
    report = BundleReport()
    wanted, excused = _references(bundle, found)
    total = sum(part.size for part in wanted.values() if bundle.has_blob(part.digest))
    problems = []
    for part in wanted.values():
        if part.digest in excused and not bundle.has_blob(part.digest):
            continue
        try:
            bundle.verify_blob(part.digest, part.size)
        except VerificationError as problem:
            problems.append(problem)
            continue
        report.blobs += 1
        report.bytes += part.size
        progress(report.bytes, total)
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise VerificationError(f"{bundle.path} is not whole", f"{first.what}: {first.why}{more}", first.hint)
    report.unused = sorted(set(bundle.files.names()) - set(wanted))
    for entry in found:
        steps = verify_revision(
            bundle, entry.revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=False
        )
        report.revisions.append((entry, steps))
    for grouped in releases(bundle):
        _check_revisions_here(bundle, grouped.release, {entry.revision.id for entry in found})
        steps = verify_release(bundle, grouped.release.id, keys.public_keys(), keys.threshold, product=keys.product)
        report.releases.append((grouped, steps))
    return report


def _check_revisions_here(bundle: Bundle, release: Release, here: set[str]) -> None:
    """Raise VerificationError unless a bundle brings all revisions of a release; one may be here only as a base."""
    for machine, revision in release.machines.items():
        if revision not in here:
            raise VerificationError(
                f"{bundle.path} is not whole",
                f"release {release.short} has revision {revision[7:19]} for {machine}, which is not in it",
                "make the bundle again",
            )


def product_of(bundle: Bundle) -> str:
    """Return the one product that a bundle's revisions say they are for; raises ConfigError for several."""
    products = sorted({revision.config.product for revision in bundle.revisions()})
    if len(products) > 1:
        raise ConfigError(f"{bundle.path} is for several products", ", ".join(products), "make one bundle for each")
    return products[0]


def _references(bundle: Bundle, found: list[BundledRevision]) -> tuple[dict[str, Descriptor], set[str]]:
    """Return what the bundle's index leads to, and what may be absent because a base has it."""
    wanted: dict[str, Descriptor] = {}
    excused: set[str] = set()
    needed: set[str] = set()
    for entry in found:
        had: set[str] = set()
        if entry.base:
            base = read_revision(bundle, entry.base)
            for part in (base.descriptor, base.manifest.config):
                wanted[part.digest] = part
            had = blobs_of(base)
        own = blobs_of(entry.revision)
        excused |= own & had
        needed |= own - had  # another machine's base does not help this one
    for listed in bundle.entries():
        if _is_release(listed):
            wanted[listed.digest] = listed
            continue
        if listed.media_type != MANIFEST_TYPE:
            raise VerificationError(f"{bundle.path} has an entry that a bundle does not have", listed.media_type)
        manifest = bundle.read_manifest(listed.digest)
        for part in (listed, manifest.config, *manifest.layers):
            known = wanted.setdefault(part.digest, part)
            if known.size != part.size:
                raise VerificationError(f"blob {part.digest} has two sizes", f"{known.size} and {part.size} bytes")
    if unknown := bundle.index.unknown():
        raise VerificationError(f"{bundle.path} has an entry that cannot be checked", unknown[0])
    return wanted, excused - needed
