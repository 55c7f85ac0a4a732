# SPDX-License-Identifier: MIT
"""The curations of a build: applied to each layer's document, and what became of them said once at the end."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.sbom import Document, curation


@dataclass(frozen=True)
class Curated:
    """What people concluded of licences, in the file beside the product file in `root`."""

    root: Path
    notes: list[curation.CurationNote] = field(default_factory=list)

    @functools.cached_property
    def entries(self) -> tuple[curation.Curation, ...]:
        """The curations; raises ConfigError for a broken file."""
        return curation.load(self.root / curation.CURATION_FILE)

    def apply(self, document: Document) -> Document:
        """Return a layer's document with what was concluded; see `curation.apply`."""
        document, notes = curation.apply(document, self.entries)
        self.notes.extend(notes)
        return document

    def messages(self) -> list[str]:
        """Return what must be said of curations that were not applied, once all layers are made."""
        used = {note.purl for note in self.notes if note.outcome != "unused"}
        stale = [
            f"the curation of {note.component} is not applied: {note.message}"
            for note in self.notes
            if note.outcome == "stale"
        ]
        idle = [entry.purl for entry in self.entries if entry.purl not in used]
        return [*dict.fromkeys(stale), *(f"no layer has what the curation of {purl} is about" for purl in idle)]
