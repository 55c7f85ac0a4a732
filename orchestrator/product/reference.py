# SPDX-License-Identifier: MIT
"""Where a container image is: the reference of `from: {image: ...}`, in the words of skopeo(1).

containers-transports(5) gives the transports, the OCI distribution specification ("Pulling manifests") the form of
names and tags, the image specification ("Digests") that of digests; SHA-256 only.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

Transport = Literal["docker", "oci", "oci-archive", "docker-archive"]

TRANSPORTS: tuple[Transport, ...] = ("docker", "oci", "oci-archive", "docker-archive")
_NAME_MAX = 255
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r":([0-9]{1,5})\Z")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_REF_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,511}")
_FORMS = "registry.example/app:1.2, oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE"


@dataclass(frozen=True)
class ImageReference:
    """A parsed reference.

    `place` is the registry's host[:port]/name, or the path beside the product file; `tag` the tag, or the name inside
    a layout or archive; `digest` that of a manifest. Tag and digest are empty when not given.
    """

    transport: Transport
    place: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        slashes = "//" if self.transport == "docker" else ""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.transport}:{slashes}{self.place}{tag}{'@' if self.digest else ''}{self.digest}"


def parse_reference(text: str) -> ImageReference:
    """Return what a reference means; raises ValueError saying what is wrong with it and which forms there are.

    A name without a transport is one of a registry, which must be named: there is no default registry.
    """
    transport, colon, rest = text.partition(":")
    if colon and transport in TRANSPORTS:
        if transport == "docker":
            return _registry(text, rest.removeprefix("//")) if rest.startswith("//") else _refuse(text, "// is missing")
        return _file(text, "oci" if transport == "oci" else _archive(transport), rest)
    if colon and (rest.startswith("//") or transport in ("dir", "containers-storage", "docker-daemon", "ostree")):
        return _refuse(text, f"the transport {transport!r} is unknown")
    return _registry(text, text)


def _archive(transport: str) -> Transport:
    return "oci-archive" if transport == "oci-archive" else "docker-archive"


def _refuse(text: str, why: str) -> ImageReference:
    raise ValueError(f"{text[:120]!r} is no reference of an image: {why}; write for example {_FORMS}")


def _file(text: str, transport: Transport, rest: str) -> ImageReference:
    if "\0" in rest or "\n" in rest:
        return _refuse(text, "it has a control character")
    place, at, digest = rest.rpartition("@")
    if transport == "oci" and at and ":" not in place:
        if not place or not _DIGEST.fullmatch(digest):
            return _refuse(text, f"{digest[:80]!r} is no digest (sha256:<64 hex digits>)")
        return ImageReference(transport, place, digest=digest)
    place, colon, name = rest.partition(":")
    if not place:
        return _refuse(text, "the path is missing")
    if colon and not _REF_NAME.fullmatch(name):
        return _refuse(text, f"{name[:80]!r} is no name of an image")
    return ImageReference(transport, place, tag=name)


def _is_address(word: str) -> bool:
    """Whether a word is an IPv6 address in brackets."""
    try:
        return re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", word) is not None and ipaddress.IPv6Address(word[1:-1]).version == 6
    except ValueError:
        return False


def _registry(text: str, rest: str) -> ImageReference:
    name, at, digest = rest.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return _refuse(text, f"{digest[:80]!r} is no digest (sha256:<64 hex digits>)")
    host, slash, path = name.partition("/")
    path, colon, tag = path.partition(":")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        return _refuse(text, "it names no registry")
    port = _PORT.search(host)
    server = host[: port.start()] if port else host
    if not (_HOST.fullmatch(server) or _is_address(server)) or (port and not 1 <= int(port[1]) <= 65535):
        return _refuse(text, f"{host[:80]!r} is no host")
    if not _REPOSITORY.fullmatch(path) or len(path) > _NAME_MAX:
        return _refuse(text, f"{path[:80]!r} is no name in a registry (lower case, digits, . _ - and /)")
    if colon and not _TAG.fullmatch(tag):
        return _refuse(text, f"{tag[:80]!r} is no tag")
    return ImageReference("docker", f"{host}/{path}", tag=tag, digest=digest)
