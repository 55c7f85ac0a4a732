# SPDX-License-Identifier: MIT
"""What the SBOM reads of a container image: package database and copyright files of its merged tree, as a small tar.

Kept beside the layer's blobs by the image's digest, so that an unchanged image is not uncompressed again.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from orchestrator.canonical import canonical_json, hex_of, sha256_digest, write_atomically
from orchestrator.layers.build import Surroundings, opened
from orchestrator.layers.inputs import LayerSource
from orchestrator.layers.nodes import Symlink
from orchestrator.layers.tarwrite import write_tar
from orchestrator.layers.tree import Tree

_WANTED = re.compile(
    rb"var/lib/dpkg/(?:status|status\.d/[^/]+)|usr/share/doc/[^/]+/copyright|(?:etc|usr/lib)/os-release"
)


def facts_tar(source: LayerSource, around: Surroundings) -> Path:
    """Return the path of the tar for a source; raises what its `load` raises."""
    key = hex_of(sha256_digest(canonical_json([source.digest(), _WANTED.pattern.decode()])))
    path = around.cache.folder / "facts" / f"{key}.tar"
    if not path.exists():
        with opened(source, around) as loaded:
            chosen = Tree(loaded.tree.limits)
            for name, node in loaded.tree.walk():
                if isinstance(node, Symlink) or _WANTED.fullmatch(name):
                    chosen.add(name, node)
            sink = io.BytesIO()
            write_tar(chosen, sink.write)
        write_atomically(path, sink.getvalue())
    return path
