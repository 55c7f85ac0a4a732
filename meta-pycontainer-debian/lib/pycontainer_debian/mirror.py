# SPDX-License-Identifier: MIT
"""Which Debian mirror a build uses: the one that is asked for, or the one of the machine's own apt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import DebianError

_MAIN, _SECURITY = "debian", "debian-security"
_MAX_BYTES = 1 << 20


class MirrorError(DebianError):
    """No usable mirror is known."""


@dataclass(frozen=True)
class Mirrors:
    """Two archive roots without a trailing slash: the suite's and the security updates'."""

    main: str
    security: str


def mirrors(environ: Mapping[str, str], apt: Path = Path("/etc/apt")) -> Mirrors:
    """Return the mirrors to use; raises MirrorError when none is known.

    `PYCONTAINER_DEBIAN_MIRROR` (with `PYCONTAINER_DEBIAN_SECURITY_MIRROR`) goes before `DEBIAN_MIRROR` (with
    `DEBIAN_SECURITY_MIRROR`), which an earlier step has found, and that before apt's configuration in `apt`.
    """
    for main_name, security_name in (
        ("PYCONTAINER_DEBIAN_MIRROR", "PYCONTAINER_DEBIAN_SECURITY_MIRROR"),
        ("DEBIAN_MIRROR", "DEBIAN_SECURITY_MIRROR"),
    ):
        if main := environ.get(main_name):
            return _pair(_checked(main_name, main), _checked(security_name, environ.get(security_name, "")))
    found: dict[str, str] = {}
    for uri in _apt_uris(apt):
        found.setdefault(_last(uri), uri.rstrip("/"))
    if _MAIN not in found:
        raise MirrorError(
            "no Debian mirror is known",
            f"no source in {apt} has a path that ends in /{_MAIN} with component main",
            "set PYCONTAINER_DEBIAN_MIRROR to the URL of one",
        )
    for uri in found.values():
        _refuse_password(f"a source in {apt}", uri)
    return _pair(found[_MAIN], found.get(_SECURITY, ""))


def _pair(main: str, security: str) -> Mirrors:
    if not security:
        if _last(main) != _MAIN:
            raise MirrorError(
                f"the security mirror of {main} is unknown",
                f"it is guessed from a path that ends in /{_MAIN}, which this one does not",
                "set PYCONTAINER_DEBIAN_SECURITY_MIRROR",
            )
        security = main.removesuffix(_MAIN) + _SECURITY
    return Mirrors(main, security)


def _checked(name: str, uri: str) -> str:
    if uri and (not uri.startswith(("http://", "https://")) or any(c.isspace() for c in uri)):
        raise MirrorError(
            f"{name}={uri!r} is not an http or https URL",
            "packages are fetched from an archive's root by http",
            f"set {name} to one such as http://HOST/{_SECURITY if 'SECURITY' in name else _MAIN}, or unset it",
        )
    _refuse_password(name, uri)
    return uri.rstrip("/")


def _refuse_password(name: str, uri: str) -> None:
    """Addresses stand in logs and error messages, so a password must come another way."""
    if "@" in uri.partition("://")[2].partition("/")[0]:
        raise MirrorError(
            f"{name} has a user or password in its address",
            "addresses end up in logs and error messages",
            "put them into ~/.netrc, which wget reads, and set PYCONTAINER_DEBIAN_MIRROR without them",
        )


def _last(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2]


def _apt_uris(apt: Path) -> Iterator[str]:
    """Yield http(s) URIs of sources with component main, in apt's reading order (sources.list(5))."""
    for path in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        try:
            text = path.read_bytes()[:_MAX_BYTES].decode("utf-8", "replace")
        except OSError:
            continue
        if path.suffix == ".list":
            uris = _one_line_style(text)
        elif path.suffix == ".sources":
            uris = _deb822_style(text)
        else:
            continue
        yield from (uri for uri in uris if uri.startswith(("http://", "https://")))


def _one_line_style(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] != ["deb"]:
            continue
        del words[0]
        if words and words[0].startswith("["):  # options, up to the closing bracket
            while words and not words.pop(0).endswith("]"):
                pass
        if "main" in words[2:]:  # URI, suite, components
            yield words[0]


def _deb822_style(text: str) -> Iterator[str]:
    for stanza in text.replace("\r", "").split("\n\n"):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if not line[:1].isspace() and ":" in line:
                name, _, line = line.partition(":")
                fields[name.lower()] = []
            fields.setdefault(name.lower(), []).extend(line.split())
        enabled = "".join(fields.get("enabled", [])).lower() not in ("no", "false", "0")
        if enabled and "deb" in fields.get("types", []) and "main" in fields.get("components", []):
            yield from fields.get("uris", [])
