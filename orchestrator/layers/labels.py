# SPDX-License-Identifier: MIT
"""An image's labels as annotations of the runtime configuration (image-spec, conversion.md "Annotation Fields").

Some annotations are orders to the runtime and not remarks: crun(1) takes a ready-made seccomp filter, plug-ins to load
and files to write from them. An image is not asked how it is confined, so those are left out and named.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.layers.tree import show

_ORDERS = (
    "io.crun.",
    "io.kubernetes.",
    "krun.",
    "module.wasm.",
    "org.criu.",
    "org.systemd.property.",
    "run.oci.",
)
"""What the names of annotations begin with that a runtime obeys."""


def annotations_of(labels: Iterable[tuple[str, str]], notes: list[str]) -> dict[str, str]:
    """Return labels as annotations, sorted; what the runtime would obey is left out and remarked in `notes`."""
    found = {}
    for name, value in sorted(labels):
        if name.lower().startswith(_ORDERS):
            notes.append(f"the image's label {show(name.encode())} is left out: the runtime would obey it")
        else:
            found[name] = value
    return found
