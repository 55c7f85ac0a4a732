# SPDX-License-Identifier: MIT
"""`pycontainer build`: base, layers, documents, revision, signature, image - and nothing of it twice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.build.aggregate import attach_documents, image_documents
from orchestrator.build.assemble import Assembled, Assembly
from orchestrator.build.base import ensure_base
from orchestrator.build.candidate import check_store, commit_candidate
from orchestrator.build.containers import run_options
from orchestrator.build.documents import Documents
from orchestrator.build.imagelock import pinned_images
from orchestrator.build.images import RegistryImages, registry_images
from orchestrator.build.imaging import image_of, tools_of
from orchestrator.build.platform import product_relaxations
from orchestrator.build.published import Taken, take_layers
from orchestrator.build.stamp import read_stamp, write_stamp
from orchestrator.build.summary import BuildSummary, LayerSummary, from_data
from orchestrator.build.unchanged import output_states, product_fingerprint, renew_source, unchanged
from orchestrator.build.workspace import Workspace, workspace
from orchestrator.delta import attach_chunks
from orchestrator.deploy import Deploy
from orchestrator.image.writer import ImageResult
from orchestrator.layers.build import Surroundings
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.runconfig import check_options
from orchestrator.oci import Store
from orchestrator.product.load import find_product_file, load_product
from orchestrator.product.model import Product
from orchestrator.product.units import format_size
from orchestrator.progress import Reporter
from orchestrator.revision import (
    Revision,
    product_facts,
)
from orchestrator.trust import (
    ProductKeys,
    product_keys,
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
        check_store(place)
        pins = pinned_images(product, place, reporter)
        product, taken = take_layers(product, place, pins, reporter)
        if taken:
            _check_options(product, place)
        inputs = product_fingerprint(product, place, keys, pins)
        if not request.force and (known := unchanged(product, place, last, inputs)) is not None:
            renew_source(product, place, known.revision)
            return msgspec.structs.replace(
                known, unchanged=True, bitbake_tasks=0, assembled=[], seconds=time.monotonic() - started
            )
        deploy, base, tasks = ensure_base(product, place, last, reporter, force=request.force, held=held)
        layers = _assemble(product, place, deploy, keys, registry_images(place, pins, reporter), taken)
        store = Store.open_or_create(place.store)
        with store.writing():
            with reporter.step("revision") as step:
                revision = commit_candidate(store, product, place, deploy, layers, keys)
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
                "files": output_states(place),
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


def exposed_ports(place: Workspace) -> list[int]:
    """Return the TCP ports that the last build's containers expose."""
    summary = from_data(read_stamp(place.stamp).get("summary"))
    ports = [port for layer in summary.layers for port in layer.ports] if summary else []
    return [int(port.partition("/")[0]) for port in ports if port.endswith("/tcp") and "-" not in port]


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
