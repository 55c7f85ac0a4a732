# SPDX-License-Identifier: MIT
"""The image's own configuration: the `config` object of an OCI image, read strictly where it is used.

OCI image specification, config.md; HEALTHCHECK is Docker's addition to it. Unknown properties are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import ConfigError

_NANOSECONDS = 1_000_000
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?")


@dataclass(frozen=True)
class Health:
    """A command that tells if the container is well (0 is well); times in milliseconds."""

    command: tuple[str, ...]
    start_period: int = 0
    interval: int = 30_000
    timeout: int = 30_000
    retries: int = 3


@dataclass(frozen=True)
class ImageConfig:
    """What an image says of how to run it; empty where it says nothing."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = ""
    user: str = ""
    stop_signal: str = ""
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    health: Health | None = None
    labels: tuple[tuple[str, str], ...] = ()


def parse_image_config(config: Mapping[str, Any]) -> ImageConfig:
    """Return the parts that a run configuration is made of; raises ConfigError naming the property that is wrong."""
    return ImageConfig(
        entrypoint=_words(config, "Entrypoint"),
        command=_words(config, "Cmd"),
        environment=parse_environment(_words(config, "Env")),
        working_directory=_text(config, "WorkingDir"),
        user=_text(config, "User"),
        stop_signal=_text(config, "StopSignal"),
        ports=tuple(sorted(map(_port, _keys(config, "ExposedPorts")))),
        volumes=_keys(config, "Volumes"),
        health=_health(config.get("Healthcheck")),
        labels=_labels(config),
    )


def parse_environment(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return NAME=VALUE words as pairs, the last of a name winning; raises ConfigError for a word without `=`."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise _wrong("Env", f"{word[:60]!r} is not NAME=VALUE")
        found[name] = value
    return tuple(found.items())


def _wrong(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"the image's configuration has a bad {name}", why, "set it in the product file, or mend the image"
    )


def _plain(name: str, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise _wrong(name, f"{value!r} is no text")
    return value


def _text(config: Mapping[str, Any], name: str) -> str:
    return _plain(name, config.get(name) or "")


def _words(config: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = config.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong(name, "it is no list of words")
    return tuple(_plain(name, word) for word in value)


def _keys(config: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = config.get(name)
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise _wrong(name, "it is no object")
    return tuple(sorted(_plain(name, key) for key in value))


def _labels(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    value = config.get("Labels")
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise _wrong("Labels", "it is no object")
    return tuple(sorted((_plain("Labels", name), _plain("Labels", text)) for name, text in value.items() if name))


def _port(text: str) -> str:
    match = _PORT.fullmatch(text)
    ends = [int(end) for end in match.groups()[:2] if end] if match else []
    if not match or not all(1 <= end <= 65535 for end in ends) or ends != sorted(ends):
        raise _wrong("ExposedPorts", f"{text[:40]!r} is not PORT or PORT/tcp")
    return text if match[3] else f"{text}/tcp"


def _health(value: object) -> Health | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _wrong("Healthcheck", "it is no object")
    test = _words(value, "Test")
    if not test or test[0] == "NONE":
        return None
    if test[0] == "CMD" and len(test) > 1:
        command = test[1:]
    elif test[0] == "CMD-SHELL" and len(test) == 2:
        command = ("/bin/sh", "-c", test[1])
    else:
        raise _wrong("Healthcheck", f"{list(test)!r} is neither NONE, CMD nor CMD-SHELL")
    return Health(
        command=command,
        start_period=_duration(value, "StartPeriod", 0),
        interval=_duration(value, "Interval", Health.interval),
        timeout=_duration(value, "Timeout", Health.timeout),
        retries=_count(value, "Retries") or Health.retries,
    )


def _count(value: Mapping[str, Any], name: str) -> int:
    number = value.get(name) or 0
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**62:
        raise _wrong("Healthcheck", f"its {name} is {number!r}")
    return number


def _duration(value: Mapping[str, Any], name: str, default: int) -> int:
    nanoseconds = _count(value, name)  # 0 means "inherit", so the default
    return max(1, nanoseconds // _NANOSECONDS) if nanoseconds else default
