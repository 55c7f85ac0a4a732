# SPDX-License-Identifier: MIT
"""The revision's configuration and manifest as typed values: strict to read, canonical to write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError, PyContainerError, VerificationError
from orchestrator.oci.descriptor import Digest
from orchestrator.oci.strict import convert, load_json
from orchestrator.revision.check import check_config
from orchestrator.revision.parts import (
    LAYERS_LIMIT,
    Conditions,
    ContainerLayer,
    Name,
    Natural,
    Part,
    PlatformLayer,
    Text,
    Time,
)

CONFIG_TYPE = "application/vnd.pycontainer.revision.config.v1+json"
REVISION_TYPE = "application/vnd.pycontainer.revision.v1"
SPDX_TYPE = "application/spdx3+json"
"""The artefact type of the SPDX 3.0.1 documents that are attached to a revision: one a layer, named by the revision's
configuration, and one of the flashable image (IANA, media types)."""
SPDX23_TYPE = "application/spdx+json"
"""The same as SPDX 2.3, for tools that read nothing newer."""
CYCLONEDX_TYPE = "application/vnd.cyclonedx+json"
"""The same as CycloneDX 1.6."""
CONFIG_LIMIT = 1024 * 1024
"""Bytes of one revision configuration at most."""

CONTAINER_KINDS = ("rootfs", "app")

Layer = PlatformLayer | ContainerLayer


class _Head(Part, frozen=True, kw_only=True):
    schema_version: Literal[1] = 1
    product: Name
    version: Text
    machine: Name
    architecture: Name
    created: Time
    message: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z", max_length=65536)] = ""
    parents: Annotated[list[Digest], msgspec.Meta(max_length=16)] = []
    security_version: Natural = 0
    confirm: Conditions = Conditions()
    apparmor_required: bool = False


class RevisionConfig(_Head, frozen=True, kw_only=True):
    """The whole software state of a device, as the revision's config blob records it."""

    layers: list[Layer]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes; raises BuildError when a value is out of its range."""
        data = canonical_json(msgspec.to_builtins(self))
        RevisionConfig.from_bytes(data, error=BuildError)
        return data

    @classmethod
    def from_bytes(cls, data: bytes, *, error: type[PyContainerError] = VerificationError) -> RevisionConfig:
        """Return the configuration from its canonical bytes; raises `error` on anything else."""
        what = "the revision's configuration"
        value = load_json(data, what, limit=CONFIG_LIMIT, canonical=True, error=error)
        if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
            raise error(f"{what} does not have the right form", "it is an object with a list of layers")
        head = convert({name: member for name, member in value.items() if name != "layers"}, _Head, what, error=error)
        if len(value["layers"]) > LAYERS_LIMIT:
            raise error(f"{what} has too many layers", f"{len(value['layers'])}, a device takes {LAYERS_LIMIT}")
        layers = [_layer(raw, position, error) for position, raw in enumerate(value["layers"])]
        config = cls(**{name: getattr(head, name) for name in _Head.__struct_fields__}, layers=layers)
        check_config(config, error)
        return config

    def layer(self, name: str) -> Layer | None:
        """Return a layer by its name, or None."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def media_type(self, layer: str, role: str) -> str:
        """Return the media type of a layer's blob."""
        found = self.layer(layer)
        return media_type(role, found.runtime if isinstance(found, ContainerLayer) else "crun")

    def containers(self) -> list[ContainerLayer]:
        """Return the container layers in the order in which the device starts them."""
        found = [layer for layer in self.layers if isinstance(layer, ContainerLayer)]
        return sorted(found, key=lambda layer: layer.start_group)


def created_at(source_date_epoch: int) -> str:
    """Return seconds since 1970 in the form that `created` has, for example 2026-01-01T00:00:00Z."""
    return datetime.fromtimestamp(source_date_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def media_type(role: str, runtime: str = "crun") -> str:
    """Return the media type of a blob role; that of a run configuration depends on what runs it."""
    if (role, runtime) == ("run-config", "lxc"):
        return "application/vnd.pycontainer.lxc.config.v1+json"
    special = {
        "initramfs": "application/vnd.pycontainer.initramfs.v1.cpio",
        "run-config": "application/vnd.oci.runtime.config.v1+json",
        "sbom": SPDX_TYPE,
    }
    squashfs = ".squashfs" if role in {"modules", "firmware", "rootfs"} else ""
    return special.get(role, f"application/vnd.pycontainer.{role}.v1{squashfs}")


def _layer(raw: Any, position: int, error: type[PyContainerError]) -> Layer:
    kind = raw.get("kind") if isinstance(raw, dict) else None
    what = f"layer {position} of the revision's configuration"
    if kind in CONTAINER_KINDS:
        return convert(raw, ContainerLayer, what, error=error)
    return convert(raw, PlatformLayer, what, error=error)
