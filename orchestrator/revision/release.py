# SPDX-License-Identifier: MIT
"""A release: an OCI image index that groups the revisions of one product, one for each of its machines.

One name of it leads to the revision of any machine (image-spec 1.1, image-index.md). Tools that know platforms choose
by these; several machines may have the same one, so each entry also names its machine, and ours choose by that. Its
bytes follow from its revisions alone: whoever has the same heads makes the same release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError, ConfigError, PyContainerError, VerificationError
from orchestrator.oci.descriptor import INDEX_TYPE, MACHINE, MANIFEST_TYPE, Descriptor, Digest, Size
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.oci.strict import decode
from orchestrator.revision.assemble import CREATED, PRODUCT, Revision, read_revision
from orchestrator.revision.parts import Name, Text, Time

RELEASE_TYPE: Final = "application/vnd.pycontainer.release.v1"
VERSION = "org.opencontainers.image.version"
MACHINES_LIMIT = 256
"""Machines of one release at most."""
RELEASE_LIMIT = 1024 * 1024
"""Bytes of a release's index at most."""

_OCI = {"armhf": "arm"}
"""Debian's names of architectures where the image specification has another (GOARCH)."""
_VARIANTS = {"arm64": "v8", "arm": "v7"}
"""What Debian's packages are built for, in the image specification's words (image-index.md, platform variants)."""

Variant = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.]{0,32}\Z")]


class _Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    os: Literal["linux"]
    architecture: Name
    variant: Variant = ""


class _EntryNotes(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"machine": MACHINE, "version": VERSION}
):
    machine: Name
    version: Text


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    media_type: Literal["application/vnd.oci.image.manifest.v1+json"]
    artifact_type: Literal["application/vnd.pycontainer.revision.v1"]
    digest: Digest
    size: Size
    platform: _Platform
    annotations: _EntryNotes


class _Notes(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True,
    rename={"product": PRODUCT, "created": CREATED, "version": VERSION},
):  # fmt: skip
    product: Name
    created: Time
    version: Text | None = None


class _Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    schema_version: Literal[2]
    media_type: Literal["application/vnd.oci.image.index.v1+json"]
    artifact_type: Literal["application/vnd.pycontainer.release.v1"]
    manifests: Annotated[list[_Entry], msgspec.Meta(min_length=1, max_length=MACHINES_LIMIT)]
    annotations: _Notes


@dataclass(frozen=True)
class Released:
    """A machine's revision in a release: its manifest, and what the release says of it."""

    machine: str
    version: str
    platform: str
    descriptor: Descriptor

    @property
    def revision(self) -> str:
        """The revision's id."""
        return self.descriptor.digest


@dataclass(frozen=True)
class Release:
    """A release: `id` is the digest of its index; its machines in the product's order.

    `version` is empty where the revisions have different ones. Nothing of it is verified by reading it.
    """

    id: str
    product: str
    version: str
    created: str
    descriptor: Descriptor
    revisions: tuple[Released, ...]

    @property
    def short(self) -> str:
        """The id as people see it: 12 hex digits."""
        return self.id.removeprefix("sha256:")[:12]

    @property
    def machines(self) -> dict[str, str]:
        """The revisions' ids by machine."""
        return {each.machine: each.revision for each in self.revisions}

    def of(self, machine: str) -> Released:
        """Return the machine's revision; raises ConfigError, naming what there is, when it has none."""
        found = next((each for each in self.revisions if each.machine == machine), None)
        if found is None:
            raise ConfigError(
                f"the release {self.short} has no revision for {machine}",
                f"it has {', '.join(self.machines)}",
                f"choose one with --machine {self.revisions[0].machine}",
            )
        return found


def release_bytes(revisions: Sequence[Revision]) -> bytes:
    """Return the index of a release: revisions of one product, each of another machine, in the order given.

    Raises BuildError when they are not.
    """
    configs = [each.config for each in revisions]
    machines = [config.machine for config in configs]
    if len({config.product for config in configs}) != 1 or len(set(machines)) != len(machines):
        raise BuildError("these revisions make no release", f"of one product, each machine once: {', '.join(machines)}")
    if len(machines) > MACHINES_LIMIT:
        raise BuildError("a release has too many machines", f"{len(machines)}, the limit is {MACHINES_LIMIT}")
    versions = {config.version for config in configs}
    notes = _Notes(configs[0].product, max(config.created for config in configs))
    if len(versions) == 1:
        notes = msgspec.structs.replace(notes, version=versions.pop())
    index = _Index(2, INDEX_TYPE, RELEASE_TYPE, [_entry(each) for each in revisions], notes)
    return canonical_json(msgspec.to_builtins(index))


def make_release(store: Store, revisions: Sequence[Revision]) -> Release:
    """Write the release of revisions of a store, and return it; it has no entry in the index yet.

    Raises BuildError when they cannot be one.
    """
    blob = store.put_blob(release_bytes(revisions), media_type=INDEX_TYPE, limit=RELEASE_LIMIT)
    return read_release(store, blob.digest)


def read_release(layout: Layout, digest: str) -> Release:
    """Return the release of that id, read strictly; its revisions need not be here.

    Raises VerificationError when it is missing, damaged, or no release.
    """
    return decode_release(layout.read_blob(digest, limit=RELEASE_LIMIT), digest)


def decode_release(data: bytes, digest: str, error: type[PyContainerError] = VerificationError) -> Release:
    """Return a release from the bytes that have that digest; raises `error` unless they are one."""
    what = f"release {digest[:19]}"
    index = decode(data, _Index, what, limit=RELEASE_LIMIT, canonical=True, error=error)
    machines = [each.annotations.machine for each in index.manifests]
    if len(set(machines)) != len(machines):
        raise error(f"{what} names a machine twice", ", ".join(machines)[:200])
    descriptor = Descriptor(media_type=INDEX_TYPE, digest=digest, size=len(data), artifact_type=RELEASE_TYPE)
    notes = index.annotations
    found = tuple(
        Released(
            each.annotations.machine,
            each.annotations.version,
            "/".join(filter(None, (each.platform.os, each.platform.architecture, each.platform.variant))),
            Descriptor(media_type=MANIFEST_TYPE, digest=each.digest, size=each.size, artifact_type=each.artifact_type),
        )
        for each in index.manifests
    )
    return Release(digest, notes.product, notes.version or "", notes.created, descriptor, found)


def is_release(data: bytes) -> bool:
    """Whether a manifest's or index's bytes say that they are a release; nothing else of them is looked at."""
    try:
        return msgspec.json.decode(data, type=_Kind).artifact_type == RELEASE_TYPE
    except (msgspec.MsgspecError, RecursionError):
        return False


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    artifact_type: str = ""
    media_type: str = ""


def check_release(layout: Layout, release: Release) -> list[Revision]:
    """Compare a release with its revisions, all in the same layout, and return these.

    Raises VerificationError when one is missing, damaged, or not what the release says of it.
    """
    found = [read_revision(layout, each.revision) for each in release.revisions]
    for said, revision in zip(release.revisions, found, strict=True):
        config = revision.config
        if (config.product, config.machine) != (release.product, said.machine):
            raise VerificationError(
                f"release {release.short} is not what it says",
                f"its revision for {said.machine} is {revision.short}, {config.product} for {config.machine}",
            )
    if release_bytes(found) != layout.read_blob(release.id, limit=RELEASE_LIMIT):
        raise VerificationError(
            f"release {release.short} is not what its revisions make", "versions, sizes or platforms"
        )
    return found


def _entry(revision: Revision) -> _Entry:
    config, found = revision.config, revision.descriptor
    architecture = _OCI.get(config.architecture, config.architecture)
    return _Entry(
        MANIFEST_TYPE,
        "application/vnd.pycontainer.revision.v1",
        found.digest,
        found.size,
        _Platform("linux", architecture, _VARIANTS.get(architecture, "")),
        _EntryNotes(config.machine, config.version),
    )
