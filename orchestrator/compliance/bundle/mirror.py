# SPDX-License-Identifier: MIT
"""Where Debian's sources come from: the mirror that is asked for, or that of the machine's own apt; and fetching.

Sources: sources.list(5) in both styles. `PYCONTAINER_DEBIAN_MIRROR` and `PYCONTAINER_DEBIAN_SECURITY_MIRROR` go first.
"""

from __future__ import annotations

import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError, FetchError

Download = Callable[[str, Path, int], None]
"""Fetches an address to a file, refusing more than that many bytes; raises FetchError."""

_LIMIT = 1 << 20
_URI = re.compile(r"https?://[^\s@]+\Z")


def mirrors(environment: Mapping[str, str], apt: Path = Path("/etc/apt")) -> tuple[str, str]:
    """Return the addresses of the archives `debian` and `debian-security`; raises ConfigError when none is known."""
    main = environment.get("PYCONTAINER_DEBIAN_MIRROR", "").rstrip("/")
    security = environment.get("PYCONTAINER_DEBIAN_SECURITY_MIRROR", "").rstrip("/")
    for uri in _apt(apt):
        last = uri.rpartition("/")[2]
        if last == "debian" and not main:
            main = uri
        if last == "debian-security" and not security and "PYCONTAINER_DEBIAN_MIRROR" not in environment:
            security = uri
    for uri in filter(None, (main, security)):
        if not _URI.match(uri):
            raise ConfigError(f"not an address of a mirror: {uri}", "http or https, without user and password", _HINT)
    if not main:
        raise ConfigError("no Debian mirror is known", f"no source in {apt} ends in /debian", _HINT)
    return main, security or main.removesuffix("debian") + "debian-security"


_HINT = "set PYCONTAINER_DEBIAN_MIRROR to the URL of one"


def _apt(apt: Path) -> Iterator[str]:
    for path in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        try:
            text = read_limited(path, _LIMIT).decode("utf-8", "replace")
        except OSError:
            continue
        for line in text.splitlines():
            line = line.partition("#")[0]
            if path.suffix == ".sources":
                key, _, value = line.partition(":")
                words = value.split() if key.strip().lower() == "uris" else []
            else:
                words = line.split() if line.startswith(("deb ", "deb-src ")) else []
            yield from (word.rstrip("/") for word in words if _URI.match(word))


def download(url: str, target: Path, limit: int) -> None:
    """Fetch a file, following redirections; raises FetchError with the server's words."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, target.open("wb") as stream:
            left = limit
            while chunk := answer.read(min(1 << 20, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise FetchError(f"{url} is too large", f"more than {limit} bytes", "the mirror is damaged")
                stream.write(chunk)
    except urllib.error.HTTPError as problem:
        raise FetchError(f"cannot download {url}", f"the server answers {problem.code} {problem.reason}") from problem
    except (OSError, ValueError) as problem:
        raise FetchError(
            f"cannot download {url}", str(problem), "check the network, or set PYCONTAINER_DEBIAN_MIRROR"
        ) from problem


def has_programs(*names: str) -> None:
    """Raise ConfigError when a program is missing."""
    for name in names:
        if shutil.which(name) is None:
            raise ConfigError(f"the program {name} is missing", "it verifies the mirror's indexes", f"install {name}")
