# SPDX-License-Identifier: MIT
"""What a layer is to be made of, as one names it on the command line, in the words of the product file."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zstandard

from orchestrator.build.containers import image_source
from orchestrator.canonical import home_path
from orchestrator.errors import ConfigError
from orchestrator.layers.seccomp import ARCHITECTURES
from orchestrator.oci.platform import parse_platform
from orchestrator.product.reference import parse_reference

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tzst")
_ZSTD = (".tar.zst", ".tzst")
_WINDOW = 128 * 1024 * 1024
_NAMES_MOST = 200_000
_FORMS = (
    "registry.example/app:1.2, oci:DIR, oci-archive:FILE, docker-archive:FILE, tar:FILE, directory:DIR, "
    "bitbake:RECIPE, or the path of a tar or a directory"
)


def source_of(
    text: str, root: Path, platform: str | None = None, signers: Sequence[str] = ()
) -> dict[str, str | list[str]]:
    """Return the `from` of a layer; paths are those of the caller and become relative to the product's folder `root`.

    `layer:` in front of a reference means a published layer, of which `signers` are the keys that may have signed it.

    A path may stand without a word before it: a directory, a root file system tar, or what an engine saved. Raises
    ConfigError for what is nothing of the kind, or is not there.
    """
    if text.startswith("layer:"):
        return {"layer": _published(text.removeprefix("layer:"), root), "signers": list(signers)}
    if signers:
        raise ConfigError("only a published layer has signers", f"{text} is none", "write layer:REFERENCE")
    found: dict[str, str | list[str]] = {**_source(text, root)}
    if platform is not None:
        if "image" not in found:
            raise ConfigError("only an image has platforms to choose from", f"{text} is none", "leave --platform out")
        found["platform"] = platform
    return found


def check_local(given: Mapping[str, Any], root: Path, machine: str) -> None:
    """Look for the image of a layer's `from` in the archive or layout that it names, if it names one.

    In a compressed archive the name stays unchecked, for that needs all of it. Raises ConfigError when it is not there
    or not for the machine, VerificationError for what is malformed.
    """
    if "image" not in given:
        return
    reference = parse_reference(given["image"])
    architecture = machine.rpartition("-")[2]
    wanted = given.get("platform") or (f"linux/{architecture}" if architecture in ARCHITECTURES else "")
    if reference.transport != "docker" and wanted:
        image_source(reference, parse_platform(wanted), root).digest()


def _published(text: str, root: Path) -> str:
    try:
        reference = parse_reference(text)
    except ValueError as problem:
        raise ConfigError(
            f"{text!r} names no published layer", str(problem), "write HOST/NAME:TAG or oci:DIR:TAG"
        ) from None
    if reference.transport == "docker":
        return text
    place = _existing(reference.place, root)
    return text.replace(reference.place, _relative(place, root), 1)


def _source(text: str, root: Path) -> dict[str, str]:
    word, colon, rest = text.partition(":")
    if colon and word in ("bitbake", "tar", "directory", "dir"):
        if word == "bitbake":
            return {"bitbake": rest}
        place = _existing(rest, root)
        if word == "tar":
            return {"tar": _relative(place, root)}
        return {"directory": _relative(place, root)}
    if text.startswith((".", "/", "~")) or Path(text).exists():
        return _path(text, root)
    try:
        reference = parse_reference(text)
    except ValueError as problem:
        raise _nothing(text, problem) from problem
    if reference.transport == "docker":
        return {"image": text}
    place = _existing(reference.place, root)
    return {"image": text.replace(reference.place, _relative(place, root), 1)}


def _nothing(text: str, problem: ValueError) -> ConfigError:
    """The error for what is neither there nor an image's name: most often a path with a slip, or a bare name."""
    why = str(problem).partition("; write for example ")[0]
    first, slash, _ = text.partition("/")
    if text.endswith(_TARS):
        return ConfigError(f"{text!r} does not exist", "and it is no image of a registry", "correct the path")
    if re.fullmatch(r"[a-z0-9][a-z0-9._/-]*(:[\w.-]+)?", text) and not (slash and re.search("[.:]", first)):
        return ConfigError(
            f"{text!r} cannot be a layer",
            "nothing lies at that path, and as the name of an image it names no registry",
            f"correct the path, or write the registry's host in front of the name: registry.example/{text}",
        )
    return ConfigError(f"{text!r} cannot be a layer", why, f"write {_FORMS}")


def _path(text: str, root: Path) -> dict[str, str]:
    place = _existing(text, root)
    if place.is_dir():
        kind = "image" if (place / "oci-layout").is_file() else "directory"
        shown = _relative(place, root)
        return {kind: f"oci:{shown}" if kind == "image" else shown}
    if not place.name.endswith(_TARS):
        raise ConfigError(f"{text} cannot be a layer", "it is neither a directory nor a tar", f"write {_FORMS}")
    archive = _archive(place)
    shown = _relative(place, root)
    return {"image": f"{archive}:{shown}"} if archive else {"tar": shown}


def _archive(path: Path) -> str:
    """What an engine saved, told by the names in it; the empty text for a root file system."""
    names: set[str] = set()
    try:
        with _opened(path) as archive:
            for member in archive:
                names.add(member.name.removeprefix("./"))
                if {"oci-layout", "manifest.json"} & names or len(names) > _NAMES_MOST:
                    break
    except (tarfile.TarError, OSError, EOFError, zstandard.ZstdError):
        return ""  # whoever reads it says what is wrong with it
    if "manifest.json" in names:
        return "docker-archive"
    return "oci-archive" if "oci-layout" in names else ""


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar by its compression; Python's own library knows all of ours but zstd."""
    if not path.name.endswith(_ZSTD):
        with tarfile.open(path) as archive:
            yield archive
        return
    limits = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    with (
        path.open("rb") as stream,
        limits.stream_reader(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        yield archive


def _existing(text: str, root: Path) -> Path:
    """The place that a path means: here, else beside the product file."""
    for place in (home_path(text), root / text):
        if text and place.exists():
            return place.resolve()
    raise ConfigError(f"{text or 'the path'} does not exist", f"neither here nor in {root}", "correct the path")


def _relative(place: Path, root: Path) -> str:
    shown = os.path.relpath(place, root.resolve())
    if ":" in shown:
        raise ConfigError(f"{place} cannot be named", "its path has a colon", "rename or move it")
    return shown
