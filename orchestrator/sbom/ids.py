# SPDX-License-Identifier: MIT
"""Names of elements: derived from what they name, so that equal things have equal names in all documents of a build."""

from __future__ import annotations

import hashlib
import re
import uuid

_NOT_IN_SLUG = re.compile(r"[^A-Za-z0-9.]+")
_SLUG = 60


def urn(purpose: str, content: bytes) -> str:
    """Return a URN from content (RFC 9562, version 8): absolute and unique without naming anybody's host."""
    number = int.from_bytes(hashlib.sha256(purpose.encode() + b"\0" + content).digest()[:16], "big")
    number = number & ~(0xF << 76) | (0x8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=number).urn


def slug(text: str) -> str:
    """Return the letters, digits and dots of a text, the rest as hyphens; for people, not unique."""
    return _NOT_IN_SLUG.sub("-", text)[:_SLUG].strip("-.")


def short(text: str) -> str:
    """Return the first 16 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def named(kind: str, name: str, key: str) -> str:
    """Return a readable name that is unique as `key` is: kind, a part of the name, and the key's hash."""
    readable = slug(name)
    return f"{kind}-{readable}-{short(key)}" if readable else f"{kind}-{short(key)}"
