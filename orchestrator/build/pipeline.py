# SPDX-License-Identifier: MIT
"""`pycontainer build`: base, layers, documents, revision, signature, image - and nothing of it twice."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.build.aggregate import attach_documents, image_documents
from orchestrator.build.assemble import Assembled, Assembly
from orchestrator.build.base import PLATFORM, ensure_base
from orchestrator.build.base import fingerprint as base_fingerprint
from orchestrator.build.containers import run_options
from orchestrator.build.documents import Documents, paths_of
from orchestrator.build.imagelock import pinned_images
from orchestrator.build.images import RegistryImages, registry_images
from orchestrator.build.platform import conditions, product_relaxations
from orchestrator.build.published import Taken, take_layers
from orchestrator.build.source import layer_paths, product_source
from orchestrator.build.stamp import combine, file_state, read_stamp, tree_fingerprint, write_stamp
from orchestrator.build.summary import BuildSummary, LayerSummary, from_data
from orchestrator.build.workspace import Workspace, workspace
from orchestrator.delta import attach_chunks
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import PyContainerError, TrustError, VerificationError
from orchestrator.history.source import attach_source, read_source
from orchestrator.image.board import Board, read_board
from orchestrator.image.writer import ImageRequest, ImageResult, write_image
from orchestrator.layers.build import Surroundings
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.runconfig import check_options
from orchestrator.oci import Store
from orchestrator.product.load import find_product_file, load_product
from orchestrator.product.model import Product
from orchestrator.product.units import format_size, parse_size
from orchestrator.progress import Reporter
from orchestrator.revision import (
    LAYER,
    Revision,
    RevisionConfig,
    assemble,
    candidate_tag,
    created_at,
    load_revision,
    product_facts,
    read_revision,
    set_candidate,
)
from orchestrator.run import Tools
from orchestrator.sbom import sourcehashes
from orchestrator.sbom.curation import CURATION_FILE
from orchestrator.sbom.curation import load as load_curations
from orchestrator.sbom.handmade import read as read_handmade
from orchestrator.trust import (
    ProductKeys,
    UnverifiedError,
    product_keys,
    publish_roots,
    revision_envelope,
    sign_revision,
    verify_revision,
)


@dataclass(frozen=True)
class BuildRequest:
    """What to build: the product's folder or file, another machine than its own, whether to trust the last stamp."""

    place: Path
    machine: str | None = None
    force: bool = False


def build(request: BuildRequest, reporter: Reporter) -> BuildSummary:
    """Build a product and return what it came to.

    Holds the build folder's lock. Raises the errors of its steps; whatever happens the store is as it was or has one
    more whole, signed revision, and the image is the old or the new one.
    """
    started = time.monotonic()
    file = find_product_file(request.place)
    product = load_product(file)
    place = workspace(file, product, request.machine)
    with place.locked() as held:
        keys = product_keys(product.product)
        last = read_stamp(place.stamp)
        # What would fail after minutes fails now: private keys that are not safe, capabilities that do not exist.
        keys.signers()
        _check_options(product, place)
        _check_store(place)
        pins = pinned_images(product, place, reporter)
        product, taken = take_layers(product, place, pins, reporter)
        if taken:
            _check_options(product, place)
        inputs = product_fingerprint(product, place, keys, pins)
        if not request.force and (known := _unchanged(product, place, last, inputs)) is not None:
            _renew_source(product, place, known.revision)
            return msgspec.structs.replace(
                known, unchanged=True, bitbake_tasks=0, assembled=[], seconds=time.monotonic() - started
            )
        deploy, base, tasks = ensure_base(product, place, last, reporter, force=request.force, held=held)
        layers = _assemble(product, place, deploy, keys, registry_images(place, pins, reporter), taken)
        store = Store.open_or_create(place.store)
        with store.writing():
            with reporter.step("revision") as step:
                revision = _commit_to_store(store, product, place, deploy, layers, keys)
                step.result = f"{revision.short}, signed"
            with reporter.step("image") as step:
                image = image_of(store, revision, product, place, deploy, keys, place.image)
                step.result = f"{format_size(image.used)} to write"
            with reporter.step("documents") as step:
                aggregate = image_documents(product, place, deploy, revision, image, layers)
                with store.together():
                    attach_documents(store, revision, aggregate, {})
                attach_chunks(store, revision.id)
                step.result = f"{place.sbom.name}/{place.image.stem}.spdx3.json"
        summary = _summary(product, place, deploy, revision, layers, image, keys, tasks, time.monotonic() - started)
        write_stamp(
            place.stamp,
            {
                "base": base,
                "inputs": inputs,
                "summary": summary.to_data(),
                "files": _output_states(place),
            },
        )
    for entry in layers:
        for note in entry.notes:
            reporter.view.message("note", f"{entry.layer.name}: {note}")
    return summary


def _check_options(product: Product, place: Workspace) -> None:
    """Refuse before BitBake's minutes what no image could make right."""
    for name, layer in product.layers.items():
        check_options(run_options(name, layer, place.root))


def product_fingerprint(
    product: Product, place: Workspace, keys: ProductKeys, pins: Mapping[str, str] | None = None
) -> str:
    """Return the digest of what the orchestrator's own steps depend on, beside the base; `pins` are those of images.

    Raises ConfigError when a file that the product file names is missing.
    """
    return combine(
        {
            "product": msgspec.to_builtins(product),
            "machine": place.machine,
            "sources": tree_fingerprint(place.root / path for path in layer_paths(product)),
            "images": dict(pins or {}),
            "components": [
                msgspec.to_builtins(each) for path in product.components for each in read_handmade(place.root / path)
            ],
            "curations": msgspec.to_builtins(load_curations(place.root / CURATION_FILE)),
            "sourceHashes": msgspec.to_builtins(sourcehashes.load(place.root / sourcehashes.SOURCES_FILE)),
            "keys": keys.facts_keys(),
            "threshold": keys.threshold,
            "code": code_fingerprint(),
        }
    )


@functools.cache
def code_fingerprint() -> str:
    """Return the digest of the orchestrator itself: another release may assemble differently."""
    return tree_fingerprint([Path(__file__).resolve().parents[1]])


def _check_store(place: Workspace) -> None:
    """Refuse a damaged store now, not after BitBake's minutes."""
    if not (place.store / "oci-layout").exists():
        return
    try:
        Store.open(place.store).index.tags()
    except VerificationError as problem:
        raise VerificationError(
            problem.what,
            problem.why,
            f"restore it from a copy; or remove {place.store} and build again, which makes the last revision anew",
        ) from problem


def _output_states(place: Workspace) -> dict[str, list[int]]:
    return {path.name: file_state(path) for path in (place.image, place.bmap)}


def _unchanged(product: Product, place: Workspace, last: dict[str, Any], inputs: str) -> BuildSummary | None:
    """Return the last summary when inputs, base and outputs are those of the last build."""
    if last.get("inputs") != inputs or last.get("files") != _output_states(place) or not place.image.exists():
        return None
    summary = from_data(last.get("summary"))
    if summary is None:
        return None
    names = [*(layer.name for layer in summary.layers), place.image.stem]
    if not all(path.exists() for name in names for path in paths_of(place.sbom, name)):
        return None
    try:
        store = Store.open(place.store)
        revision = read_revision(store, summary.revision)
        if load_revision(store, candidate_tag(place.machine)).id != revision.id:
            return None
    except PyContainerError:
        return None
    if not all(store.has_blob(blob.digest, blob.size) for blob in revision.blobs()):
        return None
    if not (place.deploy / MANIFEST_NAME).exists() or not Deploy(place.deploy).intact():
        return None
    return summary if last.get("base") == base_fingerprint(product, place) else None


def _renew_source(product: Product, place: Workspace, revision: str) -> None:
    """Take in what changes a product's files and no layer: a comment, say. So what lies here is what was built."""
    store = Store.open(place.store)
    listed, contents = product_source(product, place)
    with store.together():
        if read_source(store, revision) != listed:
            attach_source(store, read_revision(store, revision), listed, contents)


def exposed_ports(place: Workspace) -> list[int]:
    """Return the TCP ports that the last build's containers expose."""
    summary = from_data(read_stamp(place.stamp).get("summary"))
    ports = [port for layer in summary.layers for port in layer.ports] if summary else []
    return [int(port.partition("/")[0]) for port in ports if port.endswith("/tcp") and "-" not in port]


def tools_of(deploy: Deploy) -> Tools:
    """Return the programs of a deploy folder: its native tools tree, or the host's when it has none."""
    tools = deploy.manifest.tools
    return Tools(deploy.resolve(tools.path) / "bin" if tools else None)


def _assemble(
    product: Product,
    place: Workspace,
    deploy: Deploy,
    keys: ProductKeys,
    images: RegistryImages,
    taken: Mapping[str, Taken],
) -> list[Assembled]:
    tools = deploy.manifest.tools
    profile = (deploy.resolve(tools.path) if tools else Path("/usr")) / "share" / "containers" / "seccomp.json"
    around = Surroundings(
        tools=tools_of(deploy),
        cache=LayerCache(place.layers),
        architecture=deploy.manifest.architecture,
        source_date_epoch=deploy.manifest.source_date_epoch,
        seccomp_profile=profile,
        tools_digest=tools.digest if tools else "",
        log=place.logs / "layers.log",
    )
    documents = Documents(product, place.root, deploy, around, place.sbom, place.build / "licences")
    layers = Assembly(
        product=product,
        root=place.root,
        deploy=deploy,
        around=around,
        facts=product_facts(product.product, place.machine, keys.facts_keys(), threshold=keys.threshold),
        documents=documents,
        reporter=images.reporter,
        images=images,
        groups=product.start_groups(),
        taken=taken,
    ).all_layers()
    for message in documents.curated.messages():
        images.reporter.view.message("warning", message)
    return layers


def _commit_to_store(
    store: Store, product: Product, place: Workspace, deploy: Deploy, layers: list[Assembled], keys: ProductKeys
) -> Revision:
    """Write the revision, its SPDX documents and its signature; make it the candidate last, when all is there."""
    for entry in layers:
        for blob in entry.blobs.values():
            store.put_blob(blob.path, expected=blob.digest, adopt=True)
    config = RevisionConfig(
        product=product.product,
        version=product.version,
        machine=place.machine,
        architecture=deploy.manifest.architecture,
        created=created_at(deploy.manifest.source_date_epoch),
        security_version=product.security_version,
        confirm=conditions(product),
        apparmor_required=product.apparmor == "required",
        layers=[entry.layer for entry in layers],
    )
    listed, contents = product_source(product, place)
    with store.together():
        revision = assemble(store, config, [blob for entry in layers for blob in entry.revision_blobs()])
        for entry in layers:
            attach_documents(store, revision, entry.documents.formats(), {LAYER: entry.layer.name})
        attach_source(store, revision, listed, contents)
        sign_revision(store, revision, keys.signers())
        if keys.chain is not None:
            publish_roots(store, keys.chain)
        waits = None
        try:
            verify_revision(store, revision, keys.public_keys(), keys.threshold, product=product.product, blobs=False)
        except UnverifiedError as problem:
            if not problem.lacks_signatures:
                raise
            waits = problem
        set_candidate(store, revision)  # with too few signatures too: the others must be able to find and sign it
        store.pack(revision.id)
    if waits is not None:
        raise TrustError(
            f"revision {revision.short} is built, and waits for signatures",
            waits.report.steps[-1].detail,
            "let the holders of the other keys sign it (pycontainer sign), then build again: it goes on from there",
        ) from waits
    return revision


def image_of(
    store: Store, revision: Revision, product: Product, place: Workspace, deploy: Deploy, keys: ProductKeys, out: Path
) -> ImageResult:
    """Write the flashable image of a revision in the store to `out`; see `write_image` for what it raises."""
    request = image_request(store, revision, product, deploy, keys)
    return write_image(request, out, tools_of(deploy), deploy.manifest.source_date_epoch, place.logs / "image.log")


def image_request(
    store: Store, revision: Revision, product: Product, deploy: Deploy, keys: ProductKeys
) -> ImageRequest:
    """Return what goes into the image of a revision; raises TrustError when none of the product's keys signed it."""
    envelope = revision_envelope(store, revision, keys.device_keys())
    config = revision.manifest.config.digest
    platform = {
        role: digest
        for layer in revision.config.layers
        if layer.kind in PLATFORM
        for role, digest in layer.blobs.items()
    }
    digests = {revision.id, config, envelope.digest, *(blob.digest for blob in revision.blobs())}
    return ImageRequest(
        product=revision.config.product,
        machine=revision.config.machine,
        revision=revision.id,
        blobs={digest: store.blob_path(digest) for digest in sorted(digests)},
        links={
            "signature": envelope.digest,
            **{role: platform[role] for role in ("kernel", "initramfs", "boot-env")},
            **({"dtb": platform["dtb"]} if "dtb" in platform else {}),
        },
        efi=store.blob_path(platform["efi"]),
        storage_size=parse_size(product.image.storage),
        efi_name=deploy.efi_name(),
        board=read_board(store.blob_path(platform["board"])) if "board" in platform else Board(),
    )


def _summary(
    product: Product,
    place: Workspace,
    deploy: Deploy,
    revision: Revision,
    layers: list[Assembled],
    image: ImageResult,
    keys: ProductKeys,
    tasks: int,
    seconds: float,
) -> BuildSummary:
    return BuildSummary(
        product=product.product,
        version=product.version,
        machine=place.machine,
        revision=revision.id,
        relaxations=[each.what for each in product_relaxations(product)],
        layers=[
            LayerSummary(
                name=entry.layer.name,
                kind=entry.layer.kind,
                version=entry.layer.version,
                size=sum(blob.size for blob in entry.blobs.values()),
                packages=entry.counts.packages,
                licences=entry.counts.licences,
                copyleft=entry.counts.copyleft,
                unknown=entry.counts.unknown,
                spdx=str(place.sbom / f"{entry.layer.name}.spdx3.json"),
                relaxations=[each.what for each in entry.relaxations],
                ports=list(entry.ports),
            )
            for entry in layers
        ],
        image=str(image.image),
        image_size=image.size,
        image_used=image.used,
        bmap=str(image.block_map),
        store=str(place.store),
        sbom=str(place.sbom),
        bitbake_tasks=tasks,
        assembled=[entry.layer.name for entry in layers if not entry.cached],
        signed_by=[key.keyid for key in keys.public_keys()],
        emulated=deploy.manifest.emulator is not None,
        unchanged=False,
        seconds=seconds,
    )
