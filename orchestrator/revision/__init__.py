# SPDX-License-Identifier: MIT
"""Revisions: the whole software state of a device as one OCI manifest whose digest is its id.

config = RevisionConfig(product=..., version=..., machine=..., architecture=..., created=created_at(epoch),
                        layers=[PlatformLayer(...), ..., ContainerLayer(...)])      # .to_bytes(), .from_bytes()
revision = assemble(store, config, [LayerBlob(layer, role, digest, size, fsverity), ...])   # blobs in the store
...attach SPDX documents (store.attach), sign (orchestrator.trust.sign_revision)...
set_candidate(store, revision)          # last: tag candidate/<machine> makes it visible
revision = load_revision(store, "candidate/MACHINE")     # a tag, an id, or 4 or more of its first digits
revision.id, .hex, .short, .manifest, .config, .descriptor, .blobs()

release = make_release(store, [revision, ...])              # one for each machine: an OCI image index
release.of(machine).revision; check_release(store, release)

facts = product_facts(product, machine, keys.facts_keys(), threshold=keys.threshold)
blob = initramfs_with_facts(Path("initramfs.cpio.zst"), facts)
block = boot_env(["console=ttyS0,115200", "quiet"])         # the kernel's command line, for GRUB
"""

from __future__ import annotations

from orchestrator.revision.assemble import (
    LAYER,
    LayerBlob,
    Revision,
    assemble,
    candidate_tag,
    load_revision,
    read_revision,
    revisions,
    set_candidate,
)
from orchestrator.revision.bootenv import boot_env
from orchestrator.revision.facts import initramfs_with_facts, newc, product_facts
from orchestrator.revision.model import (
    CYCLONEDX_TYPE,
    REVISION_TYPE,
    SPDX23_TYPE,
    SPDX_TYPE,
    RevisionConfig,
    created_at,
    media_type,
)
from orchestrator.revision.parts import (
    Conditions,
    Confirm,
    ContainerLayer,
    Declared,
    FileCondition,
    Health,
    HttpCheck,
    Io,
    Logs,
    Observe,
    Peer,
    PlatformLayer,
    PublishedPort,
    ReachCondition,
    Restart,
    Stop,
    UserNamespace,
    Volume,
)
from orchestrator.revision.release import (
    RELEASE_LIMIT,
    RELEASE_TYPE,
    Release,
    Released,
    check_release,
    decode_release,
    is_release,
    make_release,
    read_release,
    release_bytes,
)

__all__ = [
    "CYCLONEDX_TYPE",
    "LAYER",
    "RELEASE_LIMIT",
    "RELEASE_TYPE",
    "REVISION_TYPE",
    "SPDX23_TYPE",
    "SPDX_TYPE",
    "Conditions",
    "Confirm",
    "ContainerLayer",
    "Declared",
    "FileCondition",
    "Health",
    "HttpCheck",
    "Io",
    "LayerBlob",
    "Logs",
    "Observe",
    "Peer",
    "PlatformLayer",
    "PublishedPort",
    "ReachCondition",
    "Release",
    "Released",
    "Restart",
    "Revision",
    "RevisionConfig",
    "Stop",
    "UserNamespace",
    "Volume",
    "assemble",
    "boot_env",
    "candidate_tag",
    "check_release",
    "created_at",
    "decode_release",
    "initramfs_with_facts",
    "is_release",
    "load_revision",
    "make_release",
    "media_type",
    "newc",
    "product_facts",
    "read_release",
    "read_revision",
    "release_bytes",
    "revisions",
    "set_candidate",
]
