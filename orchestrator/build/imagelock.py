# SPDX-License-Identifier: MIT
"""Which bytes the tags of container images mean: pinned by digest in the lock file, moved only when told.

The lock file is the product's own when it has one; there the base keeps its packages too, and each leaves the other's
part alone. Without one, a build folder keeps what it resolved first.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.build.workspace import LOCK_NAME, Workspace
from orchestrator.canonical import DIGEST, canonical_json, hash_file, read_limited, sha256_digest, write_atomically
from orchestrator.errors import ConfigError, TrustError
from orchestrator.product.model import Product
from orchestrator.product.reference import ImageReference
from orchestrator.progress import Reporter

LIMIT = 64 * 1024 * 1024
"""Bytes of a lock file that are read at most."""
MEMBER = "images"


@dataclass(frozen=True)
class ImageChange:
    """An image whose pinned digest changes; None: it was not pinned, or no longer is."""

    image: str
    before: str | None
    after: str | None


def image_lock(place: Workspace) -> Path:
    """Return the file that pins images."""
    own = place.root / LOCK_NAME
    return own if own.exists() else place.build / "images.lock.json"


def read_lock(path: Path) -> dict[str, Any]:
    """Return a lock file's content, empty when there is none; raises ConfigError when it is damaged."""
    try:
        data = read_limited(path, LIMIT)
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise ConfigError(f"the lock file {path} cannot be read", str(problem)) from problem
    return decode_lock(data, path)


def decode_lock(data: bytes, path: Path) -> dict[str, Any]:
    """Return the content of a lock file's bytes; raises ConfigError naming `path` when they are none."""
    try:
        if len(data) > LIMIT:
            raise ValueError(f"larger than {LIMIT} bytes")
        value = json.loads(data)
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, str(problem)) from problem
    return value


def pins_of(value: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return the digests that a lock file's content pins, by reference; raises ConfigError when it is damaged."""
    entries = value.get(MEMBER, {})
    if not isinstance(entries, dict):
        raise _damaged(path, f"{MEMBER} is not an object")
    found = {}
    for reference, entry in entries.items():
        digest = entry.get("digest") if isinstance(entry, dict) else None
        if not isinstance(digest, str) or not DIGEST.match(digest):
            raise _damaged(path, f"the image {reference[:200]!r} has no digest")
        found[reference] = digest
    return found


def _damaged(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the lock file {path} is damaged", why, "restore it from version control, or: pycontainer lock --update"
    )


def with_pins(value: Mapping[str, Any], pins: Mapping[str, str]) -> bytes:
    """Return a lock file's bytes with these pins in place of its own, written as the base writes its part."""
    rest = {key: part for key, part in value.items() if key != MEMBER}
    entries = {reference: {"digest": digest} for reference, digest in pins.items()}
    content = rest | ({MEMBER: entries} if entries else {})
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def others_digest(path: Path) -> str:
    """Return a digest of all in a lock file but the images: what the base depends on."""
    try:
        value = read_lock(path)
    except ConfigError:
        return hash_file(path)  # whoever reads it will say what is wrong with it
    return sha256_digest(canonical_json({key: part for key, part in value.items() if key != MEMBER}))


def tagged_images(product: Product, names: Collection[str] | None = None) -> dict[str, ImageReference]:
    """Return the images of registries, and the published layers wherever they are, that a product names by tag.

    By their text; of the layers `names`, or of all.
    """
    found = {}
    for name, layer in product.layers.items():
        reference = layer.source.reference
        if reference is None or reference.digest or (reference.transport != "docker" and not layer.source.layer):
            continue
        if names is None or name in names:
            found[key_of(reference)] = reference
    return dict(sorted(found.items()))


def key_of(reference: ImageReference) -> str:
    """Return what a lock file calls an image."""
    if reference.transport != "docker":
        return str(reference)
    return f"{reference.place}:{reference.tag or 'latest'}"


def pinned_images(product: Product, place: Workspace, reporter: Reporter) -> dict[str, str]:
    """Return the digests of the product's images by reference; those not pinned yet are resolved, and pinned.

    Raises FetchError or TryAgainError when a registry cannot be asked, ConfigError for a damaged lock file.
    """
    wanted = tagged_images(product)
    path = image_lock(place)
    value = read_lock(path) if wanted else {}
    pins = pins_of(value, path)
    if missing := [key for key in wanted if key not in pins]:
        pins |= resolve({key: wanted[key] for key in missing}, place.root, reporter)
        write_atomically(path, with_pins(value, pins))
    return {key: pins[key] for key in wanted}


def update_images(
    product: Product, place: Workspace, reporter: Reporter, names: Collection[str] | None = None
) -> tuple[ImageChange, ...]:
    """Move the pins of the images of the layers `names` (default: all) to what their tags mean now; returns changes.

    Images that the product no longer names lose their pins. The caller holds the build folder. Raises TrustError, and
    moves none, when a published layer's tag now means one that none of its signers signed.
    """
    path = image_lock(place)
    value = read_lock(path)
    before = pins_of(value, path)
    all_wanted = tagged_images(product)
    kept = {key: digest for key, digest in before.items() if key in all_wanted}
    after = kept | resolve(tagged_images(product, names), place.root, reporter)
    if after != before:
        _check_signers(product, place, {key: after[key] for key in after if after[key] != before.get(key)})
        write_atomically(path, with_pins(value, after))
    return changes(before, after)


def _check_signers(product: Product, place: Workspace, moved: Mapping[str, str]) -> None:
    """Look at the signatures of published layers whose pins are about to move; no large blob comes for that."""
    from orchestrator.oci import Store
    from orchestrator.publish import check_signers, look_at

    for name, layer in product.layers.items():
        reference = layer.source.reference
        if layer.source.layer is None or reference is None or key_of(reference) not in moved:
            continue
        with tempfile.TemporaryDirectory(prefix="pycontainer-") as folder:
            store = Store.open_or_create(Path(folder) / "store")
            found = look_at(dataclasses.replace(reference, digest=moved[key_of(reference)]), place.root, store)
            try:
                check_signers(store, found, layer.source.signers)
            except TrustError as problem:
                raise TrustError(
                    f"the pin of layer {name} was not moved: {problem.what}", problem.why, problem.hint
                ) from problem


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[ImageChange, ...]:
    """Return what differs between two sets of pins, sorted."""
    return tuple(
        ImageChange(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    )


def resolve(references: Mapping[str, ImageReference], root: Path, reporter: Reporter) -> dict[str, str]:
    """Ask what tags mean now, registries or layouts below `root`; returns digests by reference."""
    if not references:
        return {}
    from orchestrator.publish import resolve_layer
    from orchestrator.registry import Web, parse_reference, resolve_image  # slow to import, and rarely needed

    with reporter.step("resolve the images' tags") as step, Web(tell=_note(reporter)) as web:
        found = {
            key: resolve_image(parse_reference(key), web=web)
            if reference.transport == "docker"
            else resolve_layer(reference, root)
            for key, reference in references.items()
        }
        step.result = f"{len(found)} asked"
    return found


def _note(reporter: Reporter) -> Any:
    return lambda text: reporter.view.message("note", text)
