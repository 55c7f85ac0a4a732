# SPDX-License-Identifier: MIT
"""BitBake's SPDX 3 documents of several recipes as one: that of a layer which is made of what they deploy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import LayerError


def merge(documents: Sequence[Path], target: Path) -> Path:
    """Write one document with the elements of all, each once; raises LayerError for what is none.

    Blank nodes (`_:CreationInfo0`) are a document's own and get names of their own.
    """
    context = None
    graph: dict[str, Any] = {}
    for number, path in enumerate(documents):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            elements, version = value["@graph"], value["@context"]
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise LayerError(f"{path} is no SPDX document", f"{type(problem).__name__}: {problem}") from problem
        if context not in (None, version):
            raise LayerError(f"{path} is of another version of SPDX", f"its context is {version}, not {context}")
        context = version
        for element in elements:
            element = _renamed(element, f"_:{number}-")
            key = element.get("spdxId") or element.get("@id") or json.dumps(element, sort_keys=True)
            graph.setdefault(key, element)
    target.write_text(json.dumps({"@context": context, "@graph": list(graph.values())}) + "\n", encoding="utf-8")
    return target


def _renamed(value: Any, prefix: str) -> Any:
    if isinstance(value, str):
        return prefix + value[2:] if value.startswith("_:") else value
    if isinstance(value, list):
        return [_renamed(each, prefix) for each in value]
    if isinstance(value, dict):
        return {key: _renamed(each, prefix) for key, each in value.items()}
    return value
