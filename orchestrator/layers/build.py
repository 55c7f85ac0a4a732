# SPDX-License-Identifier: MIT
"""Build one layer: an input and how it is to run become blobs; a pure function of them, cached by their digest."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.canonical import canonical_json, hash_file, remove_leftovers, sha256_digest
from orchestrator.errors import BuildError, ConfigError, TryAgainError
from orchestrator.layers.apparmor import make_policy, tools_identity
from orchestrator.layers.cache import BuiltLayer, LayerCache, RunFacts, code_digest
from orchestrator.layers.command import image_path
from orchestrator.layers.directory import Owner, directory_digest, read_directory, read_file
from orchestrator.layers.imageconfig import parse_image_config
from orchestrator.layers.inputs import LayerSource, Loaded
from orchestrator.layers.lxc import make_lxc_config
from orchestrator.layers.nodes import Directory
from orchestrator.layers.options import FileMapping, RunOptions
from orchestrator.layers.runconfig import make_run_config
from orchestrator.layers.seccomp import ARCHITECTURES, load_profile
from orchestrator.layers.squashfs import FAST, SMALL, ImageFormat, SquashFS
from orchestrator.layers.tree import Limits, Tree
from orchestrator.run import Tools


@dataclass(frozen=True)
class Surroundings:
    """What all layers of a build share.

    `seccomp_profile` is the engines' seccomp.json; `tools_digest` names the native tools tree (empty: the host's
    programs, told by their bytes and version); `architecture` is the device's (amd64, arm64); `kernel` the oldest
    that it runs; `source_date_epoch` in seconds since 1970; `log` takes the output of programs.
    """

    tools: Tools
    cache: LayerCache
    architecture: str
    source_date_epoch: int
    seccomp_profile: Path
    tools_digest: str = ""
    kernel: tuple[int, int] = (6, 1)
    limits: Limits = field(default_factory=Limits)
    log: Path | None = None


def build_layer(
    source: LayerSource, options: RunOptions, around: Surroundings, image_format: ImageFormat | None = None
) -> BuiltLayer:
    """Build a layer that runs (kinds rootfs and app): blobs `rootfs`, `run-config` and, with an AppArmor profile,
    `policy`.

    Without `image_format` it is SquashFS, packed quickly when all of it is the product's own and files are added: then
    someone is likely waiting. What came whole is packed small whatever is added. Raises ConfigError for what cannot
    run, VerificationError for refused inputs, BuildError.
    """
    if around.architecture not in ARCHITECTURES:
        raise ConfigError(f"the architecture {around.architecture!r} is unknown", f"known: {', '.join(ARCHITECTURES)}")
    form = image_format or SquashFS(level=FAST if options.files and source.own else SMALL)
    shown = msgspec.to_builtins(options, enc_hook=str)
    shown["files"] = [
        [
            directory_digest(_existing(item)),
            item.source.is_dir(),
            item.source.name,
            item.destination,
            item.uid,
            item.gid,
            item.mode,
        ]
        for item in options.files
    ]
    own, template = options.apparmor_profile, options.lxc_template
    shown["apparmor_profile"] = "" if own is None else hash_file(own) if own.is_file() else "missing"
    shown["lxc_template"] = "" if template is None else hash_file(template) if template.is_file() else "missing"
    with _disk_errors():
        compiler = tools_identity(around.tools, around.tools_digest) if options.apparmor == "default" else ""
        key = _key(
            source,
            around,
            form,
            "run",
            compiler,
            shown,
            around.architecture,
            list(around.kernel),
            hash_file(around.seccomp_profile) if around.seccomp_profile.exists() else "",
        )
        if (found := around.cache.get(key)) is not None:
            return found
        with _workspace(around) as workspace:
            loaded = source.load(workspace, around.limits, around.source_date_epoch)
            for item in options.files:
                add_files(loaded.tree, item, around.source_date_epoch)
            sealed = None if loaded.packed is None else {path for path, _ in loaded.tree.walk()}
            profile = load_profile(around.seccomp_profile) if options.seccomp == "default" else {}
            policy = make_policy(options, around.tools, workspace, around.log)
            run = make_run_config(
                parse_image_config(loaded.config),
                options,
                loaded.tree,
                architecture=around.architecture,
                profile=profile,
                mtime=around.source_date_epoch,
                kernel=around.kernel,
                apparmor=policy.name if policy else "",
            )
            data = run.data
            if options.runtime == "lxc":
                data = make_lxc_config(options.name, run.config, run.stop_signal, options.lxc_template).data
            image = workspace / f"image{form.suffix}"
            if loaded.packed is not None and sealed is not None:
                check_sealed(options.name, loaded.tree, sealed)
                shutil.copyfile(loaded.packed, image)
            else:
                form.pack(loaded.tree, image, around.tools, around.source_date_epoch, around.log)
            blobs = {"rootfs": around.cache.add_file(image), "run-config": around.cache.add_bytes(data)}
            if policy:
                blobs["policy"] = around.cache.add_bytes(policy.data)
        facts = RunFacts(
            run.stop_signal,
            run.volumes,
            run.health,
            run.ports,
            run.user.uid,
            run.user.gid,
            apparmor=policy.name if policy else "",
            user_base=options.user_base if run.own_users else 0,
        )
        layer = BuiltLayer(options.name, blobs, facts, (*loaded.tree.notes, *run.notes))
        around.cache.put(key, layer)
    return layer


def check_sealed(name: str, tree: Tree, before: Set[bytes]) -> None:
    """Refuse what a published layer would need to be packed anew for: mount points and files that it does not have."""
    added = next((path for path, _ in tree.walk() if path not in before), None)
    if added is not None:
        raise ConfigError(
            f"the layer {name} has nothing at /{os.fsdecode(added)}",
            "something is to be mounted there, and a published layer is taken as it is",
            "let the team that makes it add the place, or leave the volume or tmpfs there out",
        )


def pack_tree_layer(
    source: LayerSource, name: str, role: str, around: Surroundings, image_format: ImageFormat | None = None
) -> BuiltLayer:
    """Pack an input that does not run (a BSP's modules or firmware) into the one blob `role`."""
    form = image_format or SquashFS(level=SMALL)
    with _disk_errors():
        key = _key(source, around, form, "tree", name, role)
        if (found := around.cache.get(key)) is not None:
            return found
        with _workspace(around) as workspace:
            tree = source.load(workspace, around.limits, around.source_date_epoch).tree
            image = workspace / f"image{form.suffix}"
            form.pack(tree, image, around.tools, around.source_date_epoch, around.log)
            layer = BuiltLayer(name, {role: around.cache.add_file(image)}, None, tuple(tree.notes))
        around.cache.put(key, layer)
    return layer


@contextmanager
def opened(source: LayerSource, around: Surroundings) -> Iterator[Loaded]:
    """Read a source for something else than packing; the tree's content can be read within the `with`."""
    with _disk_errors(), _workspace(around) as workspace:
        yield source.load(workspace, around.limits, around.source_date_epoch)


def add_files(tree: Tree, item: FileMapping, mtime: int) -> None:
    """Add a folder's content, or one file, of the product to a tree.

    A file goes to its destination, or into it when that is a directory or ends with a slash. Raises ConfigError.
    """
    owner = Owner(item.uid, item.gid, item.mode)
    destination = image_path(item.destination, f"the destination of {item.source}").encode()
    if _existing(item).is_dir():
        tree.ensure_directory(destination, mtime=mtime)
        added = Tree(tree.limits)
        read_directory(item.source, added, mtime=mtime, owner=owner)
        tree.merge(added, destination)
        return
    if item.destination.endswith("/") or isinstance(tree.get(destination), Directory):
        destination = destination.rstrip(b"/") + b"/" + os.fsencode(item.source.name)
    tree.ensure_directory(destination.rpartition(b"/")[0], mtime=mtime)
    tree.add(destination, read_file(item.source, mtime=mtime, owner=owner))


def _existing(item: FileMapping) -> Path:
    if not item.source.exists():
        raise ConfigError(
            f"{item.source} does not exist",
            f"the product file wants it at {item.destination} of a layer",
            "correct 'source' under 'files', relative to the product file",
        )
    return item.source


def _key(source: LayerSource, around: Surroundings, form: ImageFormat, *more: Any) -> str:
    tools = around.tools_digest or "host"
    parts = [code_digest(), source.digest(), tools, form.identity(around.tools), around.source_date_epoch, *more]
    return sha256_digest(canonical_json(parts))


@contextmanager
def _workspace(around: Surroundings) -> Iterator[Path]:
    around.cache.folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(around.cache.folder, r"\.work-(\d+)-.*")
    with tempfile.TemporaryDirectory(prefix=f".work-{os.getpid()}-", dir=around.cache.folder) as folder:
        yield Path(folder)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TryAgainError(
                "the disk is full", str(problem), "free some space and run the same command again"
            ) from problem
        raise BuildError("a file could not be written or read", str(problem), "check the build folder") from problem
