# SPDX-License-Identifier: MIT
"""Findings kept by the copyright file's digest and the digest of the rules, so that an unchanged file is read once."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
from pathlib import Path

import msgspec

from orchestrator.sbom.model import LicenceFinding
from orchestrator.sbom.resolver import resolve_copyright

_RULES = (
    "deb822",
    "dep5",
    "deprecated",
    "exceptions",
    "expression",
    "known_texts",
    "model",
    "names",
    "parts",
    "resolver",
    "scancode",
    "spdxlist",
    "synopsis",
    "texts",
)
"""Every module that decides what a finding says."""


@functools.cache
def _rules_digest() -> str:
    digest = hashlib.sha256()
    for module in _RULES:
        digest.update((Path(__file__).with_name(module + ".py")).read_bytes())
    return digest.hexdigest()[:16]


class FindingCache:
    """Resolves copyright files through a folder of earlier findings; without a folder only within this run.

    An entry is a pure function of its name, so a lost, damaged or concurrently written one is made again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder / _rules_digest() if folder else None
        self._known: dict[str, LicenceFinding] = {}

    def resolve(self, data: bytes, evidence: str) -> LicenceFinding:
        """Return the finding for a copyright file's content; `evidence` is the path to name in it."""
        digest = hashlib.sha256(data).hexdigest()
        finding = self._known.get(digest) or self._load(digest)
        if finding is None:
            finding = resolve_copyright(data, "")
            self._store(digest, finding)
        self._known[digest] = finding
        return dataclasses.replace(finding, evidence=evidence)

    def _load(self, digest: str) -> LicenceFinding | None:
        if self._folder is None:
            return None
        try:
            finding = msgspec.json.decode((self._folder / digest).read_bytes(), type=LicenceFinding)
        except (OSError, msgspec.MsgspecError):
            return None
        return finding if finding.evidence_digest == "sha256:" + digest else None

    def _store(self, digest: str, finding: LicenceFinding) -> None:
        if self._folder is None:
            return
        temporary = self._folder / f".{digest}.{os.getpid()}.tmp"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(finding))
            temporary.replace(self._folder / digest)  # no fsync: what a power cut damages is made again
        except OSError:
            with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the build
                temporary.unlink()
