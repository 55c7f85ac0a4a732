# SPDX-License-Identifier: MIT
"""Licence texts of an image's packages as one tar of `<package>/copyright`, as the deploy contract asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from . import archive
from .errors import LayerError

# What license.bbclass writes beside the texts: not a licence itself.
_NOT_TEXTS = ("recipeinfo",)
_LIMIT = 8 * 1024 * 1024


def expression(spdx: str, library: object) -> str:
    """Return a licence expression in the operators that the series of OE-core knows.

    Series with a library for SPDX's expressions (`library`: whether there is one) warn of OE-core's older operators,
    and wrynose knows only those.
    """
    return spdx if library else spdx.replace(" AND ", " & ").replace(" OR ", " | ")


def recipes_of(manifest: Path, pkgdata: Path) -> dict[str, str]:
    """Map each package of an image's manifest (`name architecture version` a line) to the recipe that it comes from.

    `pkgdata` is PKGDATA_DIR: `runtime-reverse/<name>` there is found by the name that a package has when it is
    installed, and has a line `PN: <recipe>`. A package without it (one of a prebuilt feed) is left out. Raises
    LayerError when the manifest cannot be read.
    """
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise LayerError(f"the image's manifest {manifest} cannot be read", str(problem)) from problem
    found: dict[str, str] = {}
    for name in sorted({line.split()[0] for line in lines if line.strip()}):
        facts = pkgdata / "runtime-reverse" / name
        if "/" in name or not facts.is_file():
            continue
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("PN: "):
                found[name] = line[4:].strip()
    return found


def texts_of(folder: Path) -> bytes:
    """Return the licence texts that BitBake collected for one recipe, each under its file's name.

    `generic_<id>` files are the common texts that a recipe's LICENSE names; they count as well.
    """
    parts = []
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_TEXTS or not path.is_file():
            continue
        data = path.read_bytes()
        if len(data) > _LIMIT:
            raise LayerError(f"{path} is too large for a licence text", f"the limit is {_LIMIT} bytes")
        parts.append(b"== " + path.name.encode() + b" ==\n\n" + data.rstrip(b"\n") + b"\n")
    return b"\n".join(parts)


def write(recipes: Mapping[str, str], folders: Iterable[Path], target: Path, epoch: int) -> list[str]:
    """Write the tar `target`; `recipes` maps a package to its recipe, and the first of `folders` that has a folder of
    the recipe's name is read. Returns the recipes without texts, sorted: a finding for the SBOM, not an error.
    """
    known = list(folders)
    missing: set[str] = set()
    content: dict[str, bytes] = {}
    for package, recipe in recipes.items():
        folder = next((each / recipe for each in known if (each / recipe).is_dir()), None)
        data = texts_of(folder) if folder else b""
        if data:
            content[f"{package}/copyright"] = data
        else:
            missing.add(recipe)
    archive.write(target, content, epoch)
    return sorted(missing)
