# SPDX-License-Identifier: MIT
"""One layer read without a build: what its image says, and the run configuration that the device would get."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from orchestrator.build.containers import check_platform, image_source, run_options
from orchestrator.build.imagelock import pinned_images
from orchestrator.build.images import RegistryImages, registry_images
from orchestrator.build.imaging import tools_of
from orchestrator.build.published import Taken, says_itself, take_layers
from orchestrator.build.workspace import Workspace
from orchestrator.canonical import canonical_json, hash_file, hex_of, remove_leftovers, sha256_digest, write_atomically
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import BuildError, ConfigError
from orchestrator.layers import userns
from orchestrator.layers.apparmor import make_policy, tools_identity
from orchestrator.layers.build import add_files
from orchestrator.layers.cache import code_digest
from orchestrator.layers.directory import directory_digest
from orchestrator.layers.imageconfig import ImageConfig, parse_image_config
from orchestrator.layers.inputs import LayerSource, TarSource, bitbake_source, folder_source
from orchestrator.layers.options import RunOptions
from orchestrator.layers.runconfig import RunConfig, make_run_config
from orchestrator.layers.seccomp import ARCHITECTURES, load_profile
from orchestrator.layers.tree import Limits
from orchestrator.oci.platform import parse_platform
from orchestrator.product.model import Layer, Product
from orchestrator.progress import Reporter
from orchestrator.run import Tools

_HOST_PROFILE = Path("/usr/share/containers/seccomp.json")


@dataclass(frozen=True)
class Inspected:
    """What the image of a layer says, what the product says, and what runs.

    `product` is the product with what a published layer says of itself, which `taken` is; `given` is the layer as the
    product file has it.

    `notes` are the remarks of reading it; `lacking` names what `run` lacks because nothing at hand could make it yet:
    seccomp filter, AppArmor policy.
    """

    image: ImageConfig
    options: RunOptions
    run: RunConfig
    notes: tuple[str, ...]
    lacking: tuple[str, ...]
    product: Product
    given: Layer
    taken: Taken | None = None

    def says(self, field: str) -> Literal["product", "layer"]:
        """Who says a member of the layer that is not the default: the product file, or the published layer itself."""
        return "product" if self.taken is None or says_itself(self.given, field) else "layer"


def inspect(product: Product, place: Workspace, name: str, reporter: Reporter) -> Inspected:
    """Read one layer; kept by the digest of what it was made of, so that a second look is quick.

    A registry's image is pulled, and its tag pinned, as a build does it. Raises ConfigError for a layer that is not
    there or cannot run, TryAgainError while a build holds the folder, and what reading its source raises.
    """
    layer = product.layers.get(name)
    if layer is None:
        raise ConfigError(
            f"the product has no layer {name}", f"it has: {', '.join(product.layers)}", "name one of its layers"
        )
    given = layer
    product, taken = _taken(product, place, name, reporter)
    layer = product.layers[name]
    deploy = Deploy(place.deploy) if (place.deploy / MANIFEST_NAME).exists() else None
    architecture = deploy.manifest.architecture if deploy else _architecture(place.machine)
    check_platform(name, layer, architecture)
    options = run_options(name, layer, place.root, userns.bases(product.layers)[name])
    profile, compiler = _profile(deploy), _compiler(deploy, options)
    images = _images(product, place, name, reporter)
    source = taken.source() if taken else _source(layer, place.root, deploy, architecture, images)
    kept = place.build / "inspected" / f"{hex_of(_key(source, options, architecture, profile, compiler))}.json"
    if (found := _kept(kept)) is None:
        found = _read(source, options, architecture, profile, compiler, place.build)
        write_atomically(kept, canonical_json(msgspec.to_builtins(found, enc_hook=str)))
    lacking = [] if profile or options.seccomp != "default" else ["seccomp profile"]
    lacking += [] if compiler or options.apparmor != "default" else ["AppArmor policy"]
    return Inspected(found.image, options, found.run, found.notes, tuple(lacking), product, given, taken)


@dataclass(frozen=True)
class _Found:
    image: ImageConfig
    run: RunConfig
    notes: tuple[str, ...]


def _kept(path: Path) -> _Found | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Found)
    except (OSError, ValueError):
        return None


def _key(
    source: LayerSource, options: RunOptions, architecture: str, profile: Path | None, compiler: _Compiler | None
) -> str:
    files = [
        [directory_digest(each.source), each.source.is_dir(), each.source.name]
        for each in options.files
        if each.source.exists()
    ]
    shown = msgspec.to_builtins(options, enc_hook=str)
    own = options.apparmor_profile
    policy = [compiler.identity if compiler else "", hash_file(own) if own and own.is_file() else ""]
    seccomp = hash_file(profile) if profile else ""
    return sha256_digest(canonical_json([code_digest(), source.digest(), shown, files, architecture, seccomp, policy]))


def _read(
    source: LayerSource,
    options: RunOptions,
    architecture: str,
    profile: Path | None,
    compiler: _Compiler | None,
    folder: Path,
) -> _Found:
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, r"\.look-(\d+)-.*")
    with tempfile.TemporaryDirectory(prefix=f".look-{os.getpid()}-", dir=folder) as workspace:
        loaded = source.load(Path(workspace), Limits(), 0)
        for item in options.files:
            add_files(loaded.tree, item, 0)
        image = parse_image_config(loaded.config)
        rules = load_profile(profile) if profile else {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
        policy = make_policy(options, compiler.tools, Path(workspace), None) if compiler else None
        run = make_run_config(
            image,
            options,
            loaded.tree,
            architecture=architecture,
            profile=rules,
            apparmor=policy.name if policy else "",
        )
        notes = (*loaded.tree.notes, *run.notes)
    return _Found(image, run, notes)


def _architecture(machine: str) -> str:
    """The architecture that a machine's name ends with, before anything was built for it."""
    found = machine.rpartition("-")[2]
    if found not in ARCHITECTURES:
        raise ConfigError(
            f"the architecture of the machine {machine} is not known yet",
            "",
            "build the product once: pycontainer build",
        )
    return found


def _profile(deploy: Deploy | None) -> Path | None:
    tools = deploy.manifest.tools if deploy else None
    place = deploy.resolve(tools.path) / "share/containers/seccomp.json" if deploy and tools else _HOST_PROFILE
    return place if place.is_file() else None


@dataclass(frozen=True)
class _Compiler:
    """What compiles AppArmor policies, and what names it: a policy's name depends on its bytes."""

    tools: Tools
    identity: str


def _compiler(deploy: Deploy | None, options: RunOptions) -> _Compiler | None:
    """Return what compiles the layer's AppArmor policy: the base's own program, before a build this machine's."""
    if options.apparmor != "default":
        return None
    tools = tools_of(deploy) if deploy else Tools()
    digest = deploy.manifest.tools.digest if deploy and deploy.manifest.tools else ""
    try:
        return _Compiler(tools, tools_identity(tools, digest))
    except ConfigError:
        return None  # this machine has none, and needs none: a build brings it


def _taken(product: Product, place: Workspace, name: str, reporter: Reporter) -> tuple[Product, Taken | None]:
    """Take the layer, and no other, when a team has published it."""
    if product.layers[name].source.layer is None:
        return product, None
    alone = msgspec.structs.replace(product, layers={name: product.layers[name]})
    with place.locked():
        whole, taken = take_layers(product, place, pinned_images(alone, place, reporter), reporter, [name])
    return whole, taken[name]


def _images(product: Product, place: Workspace, name: str, reporter: Reporter) -> RegistryImages | None:
    """The product's images of registries, when the layer is made of one; only its own tag is looked up."""
    reference = product.layers[name].source.reference
    if reference is None or reference.transport != "docker" or product.layers[name].source.layer:
        return None
    alone = msgspec.structs.replace(product, layers={name: product.layers[name]})
    with place.locked():
        return registry_images(place, pinned_images(alone, place, reporter), reporter)


def _source(
    layer: Layer, root: Path, deploy: Deploy | None, architecture: str, images: RegistryImages | None
) -> LayerSource:
    given = layer.source
    if given.bitbake:
        found = deploy.layer(given.bitbake) if deploy else None
        if deploy is None or found is None:
            raise BuildError(
                f"the recipe {given.bitbake} has deployed nothing yet", "BitBake makes it", "run: pycontainer build"
            )
        return bitbake_source(deploy, found)
    if (reference := given.reference) is not None:
        return image_source(reference, parse_platform(given.platform or f"linux/{architecture}"), root, images)
    return TarSource(root / given.tar) if given.tar else folder_source(root / (given.directory or ""), layer.kind)


def runtime_config(found: Inspected) -> dict[str, Any]:
    """Return the OCI runtime configuration; raises ConfigError for a layer that has none, BuildError when a part of it
    could not be made yet."""
    if found.options.runtime == "lxc":
        why = "'runtime: lxc' of the product file gives it a configuration of LXC's own"
        raise ConfigError(
            f"the layer {found.options.name} has no OCI runtime configuration", why, "leave the option out"
        )
    if found.lacking:
        raise BuildError(
            f"the {' and the '.join(found.lacking)} cannot be made yet",
            "the base brings what makes them",
            "run: pycontainer build, and ask again",
        )
    return found.run.config
