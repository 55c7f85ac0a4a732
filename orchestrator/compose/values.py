# SPDX-License-Identifier: MIT
"""The forms that values of a compose file have: lists or mappings, sizes, durations, words.

Compose Specification, 11-extension.md ("Specifying byte values", "Specifying durations").
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestrator.compose.draft import wrong

_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,3}))?\s*([kmgtKMGT]?)(?:i?[bB])?\Z", re.ASCII)
_FACTORS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", re.ASCII)
_MICROSECONDS = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}


def text(path: str, value: Any) -> str:
    """Return a text; raises WrongValue for anything else."""
    if not isinstance(value, str):
        raise wrong(path, "a text is expected")
    return value


def boolean(path: str, value: Any) -> bool:
    """Return what true or false says."""
    word = str(value).lower()
    if word not in ("true", "false"):
        raise wrong(path, f"true or false is expected, not {value!r}")
    return word == "true"


def number(path: str, value: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    """Return a whole number between two bounds."""
    if not (isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value)) or not least <= int(value) <= most:
        raise wrong(path, f"a whole number from {least} to {most} is expected, not {value!r}")
    return int(value)


def fraction(path: str, value: Any) -> float:
    """Return a number of processors."""
    try:
        found = Decimal(text(path, value))
    except InvalidOperation:
        raise wrong(path, f"a number is expected, not {value!r}") from None
    if not 0 < found <= 1024:
        raise wrong(path, f"{value} processors are not possible")
    return int(found) if found == int(found) else float(found)


def mode(path: str, value: Any) -> str:
    """Return an octal mode such as 0440 in the form of the product file."""
    word = str(value).removeprefix("0o").removeprefix("0")
    if not re.fullmatch(r"[0-7]{1,4}", word or "x"):
        raise wrong(path, f"an octal mode such as 0440 is expected, not {value!r}")
    return f"{int(word, 8):04o}"


def size(path: str, value: Any) -> str:
    """Return a byte value (units of 1024) in the form of the product file."""
    match = _SIZE.match(text(path, value))
    if match is None:
        raise wrong(path, f"a size such as 64m or 1gb is expected, not {value!r}")
    found = int(Decimal(f"{match[1]}.{match[2] or 0}") * _FACTORS[match[3].lower()])
    return format_bytes(found)


def format_bytes(count: int) -> str:
    """Return a count of bytes by the largest unit that divides it."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def duration(path: str, value: Any) -> str:
    """Return a duration such as 1m30s in the form of the product file."""
    parts = _PART.findall(text(path, value))
    if not parts or "".join("".join(part) for part in parts) != value:
        raise wrong(path, f"a duration such as 10s or 1m30s is expected, not {value!r}")
    micros = sum(Decimal(count) * _MICROSECONDS[unit] for count, unit in parts)
    millis = int(micros // 1000) or (1 if micros else 0)
    if millis > 10**11:
        raise wrong(path, f"{value} is too long")
    return f"{millis // 1000}s" if millis % 1000 == 0 else f"{millis}ms"


def words(path: str, value: Any) -> list[str]:
    """Return a list of texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong(path, "a list of texts is expected")
    return value


def word_or_words(path: str, value: Any) -> list[str]:
    """Return a list of texts, or one text as a list of it."""
    return [value] if isinstance(value, str) else words(path, value)


def command(path: str, value: Any) -> list[str]:
    """Return a command as its words: a text is split as a shell does it, but no shell runs it."""
    if isinstance(value, list):
        return words(path, value)
    try:
        return shlex.split(text(path, value))
    except ValueError as problem:
        raise wrong(path, f"{problem}: {value!r}", "write it as a list of words") from problem


def literal(value: Any) -> dict[str, str]:
    """Return the pairs of a mapping or a list of NAME=VALUE words that are as they are written; no value is wrong."""
    if isinstance(value, Mapping):
        return {name: item for name, item in value.items() if isinstance(item, str)}
    found = [item.partition("=") for item in value if isinstance(item, str)] if isinstance(value, list) else []
    return {name: content for name, equals, content in found if equals}


def pairs(path: str, value: Any) -> dict[str, str | None]:
    """Return a mapping, or a list of NAME=VALUE words, as a mapping; None where there is no value."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if item is not None and not isinstance(item, str):
                raise wrong(f"{path}.{name}", "a text is expected")
        return dict(value)
    found: dict[str, str | None] = {}
    for item in words(path, value):
        name, equals, content = item.partition("=")
        found[name] = content if equals else None
    return found
