# SPDX-License-Identifier: MIT
"""Variables of a compose file: `${NAME:-default}` in its values, and the files that set them.

Compose Specification, 12-interpolation.md and the "Env_file format" of 05-services.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:(=)[ \t]*(.*))?\Z", re.DOTALL)
_FILE_LIMIT = 1024 * 1024
_DEPTH = 16
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", "$": "$"}


def interpolate(value: Any, variables: Mapping[str, str], unset: dict[str, str], where: str = "") -> Any:
    """Return a value with the variables in its texts replaced; keys of mappings stay as they are.

    What has neither value nor default becomes empty and is entered into `unset` with the place. Raises ConfigError for
    a malformed `${...}`, and for `${NAME:?message}` without a value.
    """
    if isinstance(value, Mapping):
        return {
            key: interpolate(item, variables, unset, f"{where}.{key}" if where else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [interpolate(item, variables, unset, where) for item in value]
    return substitute(value, variables, unset, where) if isinstance(value, str) else value


def substitute(text: str, variables: Mapping[str, str], unset: dict[str, str], where: str, depth: int = 0) -> str:
    """Return one text with its variables replaced; see `interpolate`."""
    if depth > _DEPTH:
        raise ConfigError(f"{where}: variables are nested too deeply", "", "write the value out")
    found: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        found.append(text[position:dollar])
        position = dollar + 1
        if text.startswith("$", position):
            found.append("$")
            position += 1
        elif text.startswith("{", position):
            end = _closing(text, position, where)
            found.append(_braced(text[position + 1 : end], variables, unset, where, depth))
            position = end + 1
        elif name := _NAME.match(text, position):
            found.append(_value(name[0], variables, unset, where))
            position = name.end()
        else:
            found.append("$")
    return "".join(found) + text[position:]


def _closing(text: str, start: int, where: str) -> int:
    depth = 0
    for position in range(start, len(text)):
        if text.startswith("${", position - 1) and position > 0:
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    raise ConfigError(f"{where}: {text[:80]!r} has ${{ without }}", "", "write $$ for a dollar sign itself")


def _braced(inner: str, variables: Mapping[str, str], unset: dict[str, str], where: str, depth: int) -> str:
    name = _NAME.match(inner)
    rest = inner[name.end() :] if name else ""
    operator = re.match(r":?[-?+]", rest)
    if name is None or (rest and operator is None):
        raise ConfigError(f"{where}: ${{{inner[:60]}}} is no variable", "", "write for example ${NAME:-default}")
    if operator is None:
        return _value(name[0], variables, unset, where)
    sign = operator[0]
    known = name[0] in variables and (not sign.startswith(":") or variables[name[0]] != "")
    argument = rest[operator.end() :]
    if sign.endswith("+"):
        return substitute(argument, variables, unset, where, depth + 1) if known else ""
    if known:
        return variables[name[0]]
    argument = substitute(argument, variables, unset, where, depth + 1)
    if sign.endswith("?"):
        raise ConfigError(
            f"{where}: the variable {name[0]} is needed", argument, "set it in the environment or the .env file"
        )
    return argument


def _value(name: str, variables: Mapping[str, str], unset: dict[str, str], where: str) -> str:
    if name not in variables:
        unset.setdefault(name, where)
    return variables.get(name, "")


def read_env_file(path: Path, variables: Mapping[str, str], *, raw: bool = False) -> dict[str, str]:
    """Return what an env file sets; `variables` are what its values may name, `raw` takes them as they stand.

    A name without `=` takes its value from `variables` and is left out without one. Raises ConfigError.
    """
    try:
        data = read_limited(path, _FILE_LIMIT)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"the file {path} cannot be read", str(problem), "name or write another one") from problem
    if len(data) > _FILE_LIMIT or "\0" in text:
        raise ConfigError(f"{path} is no file of variables", "it is too large, or has a zero in it", "name another one")
    found: dict[str, str] = {}
    lines = text.replace("\r\n", "\n").split("\n")
    position = 0
    while position < len(lines):
        line, number = lines[position].strip(), position + 1
        position += 1
        if not line or line.startswith("#"):
            continue
        if raw:
            name, _, value = line.partition("=")
            found[name] = value
            continue
        match = _ASSIGNMENT.match(line)
        while match and match[3] and match[3][0] in "\"'" and not _quoted(match[3]) and position < len(lines):
            line += "\n" + lines[position]  # a quoted value may have several lines
            position += 1
            match = _ASSIGNMENT.match(line)
        if match is None:
            raise ConfigError(f"{path}:{number}: {line[:60]!r} sets no variable", "", "write NAME=VALUE")
        if match[2]:
            found[match[1]] = _unquoted(match[3], {**found, **variables}, f"{path}:{number}")
        elif match[1] in variables:
            found[match[1]] = variables[match[1]]
    return found


def _quoted(text: str) -> re.Match[str] | None:
    return re.match(r'"((?:[^"\\]|\\.)*)"' if text[0] == '"' else r"'((?:[^'\\]|\\.)*)'", text, re.DOTALL)


def _unquoted(text: str, variables: Mapping[str, str], where: str) -> str:
    if text[:1] not in ('"', "'"):
        return substitute(re.split(r"(?:\A|[ \t])#", text, maxsplit=1)[0].strip(), variables, {}, where)
    match = _quoted(text)
    rest = text[match.end() :].strip() if match else "x"
    if match is None or (rest and not rest.startswith("#")):
        raise ConfigError(f"{where}: the quotes do not end with the value", "", "close them, or leave them out")
    if text[0] == "'":
        return match[1].replace("\\'", "'")
    # An escaped dollar sign is none of a variable's.
    inner = re.sub(r"\\\$", "$$", match[1])
    inner = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), inner, flags=re.DOTALL)
    return substitute(inner, variables, {}, where)
