# SPDX-License-Identifier: MIT
"""Published layers on their way: from a registry, an OCI image layout or an archive into a store, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.bundle import open_bundle
from orchestrator.errors import ConfigError, FetchError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Store, decode_manifest
from orchestrator.oci.copying import Moved, Tell, copy_family, descriptor_of
from orchestrator.oci.layout import SUBJECT, Layout, size_of_parts
from orchestrator.product.reference import ImageReference
from orchestrator.publish.model import CONFIG_LIMIT, LAYER_TYPE, PublishedLayer, read_layer
from orchestrator.trust import SIGNATURE_TYPE

Say = Callable[[str], None]
_ATTACHED = 256
_SIGNATURE_LIMIT = 1 << 20
"""Bytes of a signature and the public keys beside it, at most."""


@dataclass(frozen=True)
class Brought:
    """A layer that is whole in a store, and what had to be moved."""

    layer: PublishedLayer
    moved: Moved


def resolve_layer(reference: ImageReference, root: Path, *, say: Say | None = None) -> str:
    """Return the digest that a reference stands for now; paths are relative to `root`."""
    if reference.transport == "docker":
        from orchestrator.registry import Web, parse_reference, resolve_image  # slow to import, and rarely needed

        with Web(tell=say) as web:
            return resolve_image(parse_reference(_name(reference)), web=web)
    with opened(reference, root) as layout:
        return _chosen(layout, reference)


def bring_layer(
    reference: ImageReference,
    digest: str,
    root: Path,
    store: Store,
    *,
    tell: Tell = lambda done, total: None,
    say: Say | None = None,
) -> Brought:
    """Bring the layer of a digest, and what is attached to it, into a store; nothing is asked when all is here.

    Raises ConfigError when the place is not there, FetchError and VerificationError for what is not what it should be.
    """
    if (found := layer_here(store, digest)) is not None:
        return Brought(found, Moved())
    if reference.transport == "docker":
        from orchestrator.registry import Web, parse_reference, pull

        with Web(tell=say) as web:
            wanted = parse_reference(_name(reference)).at(digest)
            done = pull(wanted, store, artifact_type=LAYER_TYPE, tell=tell, web=web)
        moved = Moved(done.manifests, done.blobs, done.moved)
    else:
        with opened(reference, root) as layout:
            read_layer(layout, digest)
            moved = copy_family(layout, store, digest, tell)
    return Brought(read_layer(store, digest), moved)


def look_at(reference: ImageReference, root: Path, store: Store, *, say: Say | None = None) -> PublishedLayer:
    """Bring a layer's manifest, configuration and signatures into a store, and what else is attached by its manifest.

    No large blob comes, whatever somebody attached.
    """
    digest = reference.digest or resolve_layer(reference, root, say=say)
    if reference.transport == "docker":
        from orchestrator.registry import Web, parse_reference
        from orchestrator.registry.sources import Sources
        from orchestrator.registry.transfer import Meter

        with Web(tell=say) as web:
            wanted = parse_reference(_name(reference)).at(digest)
            sources = Sources(web, wanted)
            data = sources.document(digest).data
            store.put_blob(data, expected=digest)
            manifest = decode_manifest(data, f"layer {digest[:19]}", error=FetchError)
            if manifest.config.size > CONFIG_LIMIT:
                raise FetchError(f"layer {digest[:19]} is refused", "its configuration is too large")
            sources.download(store, manifest.config, Meter(0))
            for each in sources.referrers(digest)[:_ATTACHED]:
                for part in _enter(store, digest, each.digest, sources.document(each.digest).data):
                    sources.download(store, part, Meter(0))
    else:
        with opened(reference, root) as layout:
            manifest = layout.read_manifest(digest)
            store.put_blob(layout.read_blob(digest), expected=digest)
            store.put_blob(layout.read_blob(manifest.config.digest, limit=CONFIG_LIMIT))
            for each in layout.referrers(digest)[:_ATTACHED]:
                for part in _enter(store, digest, each.digest, layout.read_blob(each.digest)):
                    store.put_blob(layout.read_blob(part.digest, limit=part.size))
    return read_layer(store, digest)


def _enter(store: Store, layer: str, digest: str, data: bytes) -> list[Descriptor]:
    """Enter what is attached to a layer, when it says so itself; returns the blobs to be brought: a signature's."""
    manifest = decode_manifest(data, f"manifest {digest[:19]}", error=FetchError)
    if manifest.subject is None or manifest.subject.digest != layer:
        return []
    descriptor = store.put_blob(data, media_type=MANIFEST_TYPE, expected=digest)
    store.index.add(msgspec.structs.replace(descriptor.plain(**{SUBJECT: layer}), artifact_type=manifest.artifact_type))
    if manifest.artifact_type != SIGNATURE_TYPE or size_of_parts(manifest) > _SIGNATURE_LIMIT:
        return []
    return [manifest.config, *manifest.layers]


def send_layer(
    store: Store,
    layer: PublishedLayer,
    reference: ImageReference,
    root: Path,
    *,
    tell: Tell = lambda done, total: None,
    say: Say | None = None,
) -> Moved:
    """Send a layer to a registry or into a layout, and let the reference's tag stand for it.

    Raises ConfigError for a place that cannot be written to, FetchError and TryAgainError when a registry refuses.
    """
    if reference.digest:
        raise ConfigError(f"{reference} names a digest", "what is sent has its own", "name a tag instead")
    if reference.transport == "docker":
        from orchestrator.registry import Web, parse_reference, push

        target = parse_reference(_name(reference))
        with Web(tell=say) as web:
            done = push(store, layer.id, target.repository, [target.name], tell=tell, web=web, immutable=False)
        return Moved(done.manifests, done.blobs, done.moved)
    if reference.transport != "oci":
        raise ConfigError(
            f"{reference} cannot be written to", "an archive is made whole", "push to oci:DIR:TAG, and pack that"
        )
    target_store = Store.open_or_create(root / reference.place)
    moved = copy_family(store, target_store, layer.id, tell)
    target_store.tag(reference.tag or "latest", descriptor_of(target_store, layer.id))
    return moved


@contextmanager
def opened(reference: ImageReference, root: Path) -> Iterator[Layout]:
    """Open the layout or archive that a reference names, for reading; nothing in it is believed."""
    path = root / reference.place
    if not path.exists():
        raise ConfigError(f"the layer {reference} is not there", f"there is no {path}", "correct the path")
    with open_bundle(path) as layout:
        yield layout


def _chosen(layout: Layout, reference: ImageReference) -> str:
    if reference.digest:
        return reference.digest
    if reference.tag:
        found = layout.resolve(reference.tag)
        if found is None:
            there = ", ".join(name for name in layout.tags()) or "no tag"
            raise ConfigError(f"there is no {reference}", f"it has {there}", "correct the tag")
        return found.digest
    layers = {entry.digest for entry in layout.entries() if layout.artifact_type(entry) == LAYER_TYPE}
    if len(layers) != 1:
        raise ConfigError(f"{reference} has {len(layers)} published layers", "one is expected", "name its tag")
    return layers.pop()


def layer_here(store: Store, digest: str) -> PublishedLayer | None:
    """Return a layer when all that is in its manifest is in the store, and the index knows it; else None."""
    if not any(entry.digest == digest for entry in store.entries()) or not store.has_blob(digest):
        return None
    layer = read_layer(store, digest)
    parts = (layer.manifest.config, *layer.manifest.layers)
    return layer if all(store.has_blob(part.digest, part.size) for part in parts) else None


def _name(reference: ImageReference) -> str:
    return f"{reference.place}:{reference.tag or 'latest'}"
