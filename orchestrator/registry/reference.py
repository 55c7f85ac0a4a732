# SPDX-License-Identifier: MIT
"""Names of images in registries: `[docker://]HOST[:PORT]/NAME[:TAG][@DIGEST]`, read strictly.

The grammar is that of distribution-spec (pulling manifests: name and tag) and of the reference that every container
tool takes; a host is always named, for a name without one means a different image on each machine.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from orchestrator.canonical import DIGEST
from orchestrator.errors import ConfigError

TRANSPORT = "docker://"
_NAME_LIMIT = 255
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::(?P<port>[0-9]{{1,5}}))?\Z")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")


@dataclass(frozen=True, order=True)
class Repository:
    """A repository of a registry: `host` with its port when one is named, and the repository's `name`."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def hostname(self) -> str:
        """The host without port and brackets."""
        match = _HOST.match(self.host)
        return (match["host"] if match else self.host).strip("[]")

    @property
    def loopback(self) -> bool:
        """Whether the registry is this machine: only then may it speak plain http unasked."""
        if self.hostname == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.hostname).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, order=True)
class Reference:
    """What names an image: a repository with a tag, a digest, or both (then the digest decides)."""

    repository: Repository
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """What a registry is asked for: the digest when there is one, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def pinned(self) -> bool:
        """Whether the same bytes are meant for ever."""
        return self.digest is not None

    def at(self, digest: str) -> Reference:
        """Return the reference to exactly these bytes."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Return what `text` names; a name without tag and digest means the tag `latest`, as with every tool.

    Raises ConfigError, with what to write instead, for anything out of form or without a registry host.
    """
    rest = text.removeprefix(TRANSPORT)
    rest, at, digest = rest.partition("@")
    if at and not DIGEST.match(digest):
        raise _wrong(text, "the digest after '@' is not sha256:<64 lower-case hex digits>")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and slash and not _TAG.match(tag):
        raise _wrong(text, f"the tag {tag[:130]!r} is not 1 to 128 letters, digits, '_', '.' and '-'")
    if slash:
        repository = parse_repository(f"{head}/{last}", text)
    elif _NAME.match(last):
        raise _hostless(text, last)
    else:
        raise _wrong(text, "a registry and a name are expected")
    return Reference(repository, (tag if colon else None) or (None if at else "latest"), digest or None)


def parse_repository(text: str, whole: str | None = None) -> Repository:
    """Return the repository that `HOST[:PORT]/NAME` names; raises ConfigError, naming `whole` when that is more."""
    shown = text if whole is None else whole
    host, slash, name = text.removeprefix(TRANSPORT).partition("/")
    if _NAME.match(host) and not _names_a_host(host):
        raise _hostless(shown, text)
    match = _HOST.match(host)
    if match is None or len(host) > _NAME_LIMIT or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise _wrong(shown, f"{host[:80]!r} is not the host of a registry")
    if match["host"].startswith("["):
        try:
            ipaddress.IPv6Address(match["host"].strip("[]"))
        except ValueError as problem:
            raise _wrong(shown, f"{host[:80]!r} is not an IPv6 address") from problem
    if not slash or not _NAME.match(name) or len(name) > _NAME_LIMIT:
        raise _wrong(shown, f"{name[:80]!r} is not a repository's name: lower-case words joined by / . _ or -")
    return Repository(host.lower(), name)


def _names_a_host(word: str) -> bool:
    """Whether the first word of a reference is a host: it has a dot or a port, or is localhost."""
    return "." in word or ":" in word or word == "localhost"


def _hostless(text: str, name: str) -> ConfigError:
    return ConfigError(
        f"the image {text!r} names no registry",
        "which registry a bare name means differs from machine to machine",
        f"write the registry's host in front of it: registry.example/{name}",
    )


def _wrong(text: str, why: str) -> ConfigError:
    return ConfigError(
        f"not an image reference: {text[:200]!r}", why, "write HOST[:PORT]/NAME[:TAG] or HOST[:PORT]/NAME@sha256:..."
    )
