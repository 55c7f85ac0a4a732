# SPDX-License-Identifier: MIT
"""Facts that a format has no field for, out of comments and annotations: `kind=rootfs; partition=storage`, or JSON.

Names are folded (`evidence_digest`, `evidenceDigest` and `evidence digest` are one), and a member of an object within
is named after both (`census: {files: 7}` is `censusfiles`).

In SPDX 3.0.1 they stand in one Annotation an element (type `other`, contentType `application/json`, the statement a
JSON object), in SPDX 2.3 in `comment` as `name=value; name=value`. What the checks look for:

- a layer: `kind`, `partition` and `mount` or `path` (of its blobs, under any prefix), `origin`, `completeness` (or the
  `contains` relationship's own), `census: {files, owned, explained, unowned}`, `removed` (a count, or an empty list);
- a component: `kind` (`firmware`, ...), `tier`, `evidence`, `evidenceDigest`, `confidence`, `linking`, `dependencies`
  (or the `dependsOn` relationship's completeness), `executable`, `archive`, `structured`, `source: {name, version, uri,
  checksums}` where no source element `generates` it, `conclusion: {author, date, reason}`.
"""

from __future__ import annotations

import json
import re
from typing import Any

_PAIR = re.compile(r"([A-Za-z][A-Za-z0-9 _.-]{0,63})=(.*)\Z", re.DOTALL)
_LIMIT = 1024 * 1024


def read(text: str) -> dict[str, str]:
    """Return the facts of a comment or annotation; a text that is prose has none. Never raises."""
    if not text or len(text) > _LIMIT:
        return {}
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return dict(_flat("", value, 0)) if isinstance(value, dict) else {}
    found = {}
    for part in text.split("; "):
        match = _PAIR.match(part.strip())
        if match is None:
            return {}
        found[fold(match[1])] = match[2]
    return found


def fold(name: str) -> str:
    """Return the form in which names are compared: lower-case letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _flat(prefix: str, value: dict[str, Any], depth: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, item in value.items():
        name = prefix + fold(str(key))
        if isinstance(item, dict) and depth < 4:
            found += _flat(name, item, depth + 1)
        found.append((name, item if isinstance(item, str) else json.dumps(item, sort_keys=True, ensure_ascii=False)))
    return found
