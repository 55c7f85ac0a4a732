# SPDX-License-Identifier: MIT
"""The hashes of Debian's source packages out of its signed source indexes, for the documents of later builds."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.compliance.bundle.debian import Indexes, codename
from orchestrator.compliance.sources import Source
from orchestrator.sbom.sourcehashes import Recorded


def record(listed: Iterable[Source], indexes: Indexes) -> tuple[dict[str, Recorded], list[Source]]:
    """Return what the indexes say of those sources, by package URL, and the sources that they do not have.

    Raises FetchError or TrustError when the indexes cannot be had.
    """
    sources = {(each.distro, each.name, each.version): each for each in listed if each.name}
    suites: dict[str, set[tuple[str, str]]] = {}
    for distro, name, version in sources:
        suites.setdefault(codename(distro), set()).add((name, version))
    found: dict[str, Recorded] = {}
    left = dict(sources)
    for suite, wanted in sorted(suites.items()):
        files = indexes.find(suite, wanted) if suite else {}
        for key, source in sources.items():
            if codename(source.distro) != suite or not source.uri.startswith("pkg:deb/"):
                continue
            for file in files.get((source.name, source.version), ()):
                if file.name.endswith(".dsc"):
                    found[source.uri] = Recorded(source.uri, file.name, file.sha256)
                    left.pop(key, None)
    return found, sorted(left.values(), key=lambda each: (each.name, each.version))
