# SPDX-License-Identifier: MIT
"""What a document is checked against besides itself: its siblings, the image, the rules of the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.compliance.bill import Bill


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The written offer for source: who answers, and until when (`YYYY-MM-DD`)."""

    contact: str
    until: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is at hand; what is None was not given, and the checks that need it say that they were skipped.

    `epoch` is SOURCE_DATE_EPOCH in seconds. `layers` are the bills of an aggregate's layers by name. `image` are the
    hashes of the flashable file by algorithm, `blobs` the digests found inside it (`sha256:<hex>`). `signed` raises
    VerificationError or TrustError, or returns the ids of the keys. `rebuilt` are the bytes that a rebuild gave,
    `original` those of the document. `texts` are texts of listed licences by identifier; `notice` the notice that
    ships, when there is one. `bundled` are the sources (name, version) that a source bundle holds.
    `part`: the document stands beside one of the whole image, which answers for the release.
    """

    epoch: int | None = None
    layers: Mapping[str, Bill] | None = None
    image: Mapping[str, str] | None = None
    blobs: frozenset[str] | None = None
    signed: Callable[[], list[str]] | None = None
    original: bytes | None = None
    rebuilt: bytes | None = None
    texts: frozenset[str] | None = None
    notice: str | None = None
    offer: Offer | None = None
    bundled: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    installation_information: bool = False
    part: bool = False
