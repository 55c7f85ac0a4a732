# SPDX-License-Identifier: MIT
"""Texts of listed licences that come with the program, and the copyright files that a build collected.

The texts of `texts/` are the publishers' own; a licence `-only` and `-or-later` share one. What is not among them is
found in the copyright file of the component, which quotes it, as Debian's packages do.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.errors import VerificationError
from orchestrator.sbom.expression import Licence
from orchestrator.sbom.resolver import decode

_FOLDER = Path(__file__).with_name("texts")
_FILE_LIMIT = 4 * 1024 * 1024
_FILES_LIMIT = 100_000
_SUFFIX = re.compile(r"-(?:only|or-later)\Z")


@functools.cache
def known() -> frozenset[str]:
    """Return the names of the texts that come with the program (`GPL-2.0`, `MIT`)."""
    return frozenset(path.stem for path in _FOLDER.glob("*.txt"))


def name_of(licence: Licence) -> str:
    """Return the name under which a licence's text is kept, whether it is here or not."""
    return _SUFFIX.sub("", licence.id).removesuffix("+").removesuffix("-no-invariants").removesuffix("-invariants")


@functools.cache
def text(name: str) -> str:
    """Return the text of that name, empty when it is not here."""
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8") if name in known() else ""


def copyright_files(archives: Iterable[Path]) -> Mapping[str, str]:
    """Return the text of every file in tar archives by its digest (`sha256:<hex>`).

    Raises VerificationError when an archive cannot be read or holds more than a build ever collects.
    """
    found: dict[str, str] = {}
    for path in archives:
        try:
            with tarfile.open(path) as archive:
                for count, member in enumerate(archive):
                    if count > _FILES_LIMIT or member.size > _FILE_LIMIT:
                        raise VerificationError(f"{path} is too large", "it is no archive of copyright files")
                    stream = archive.extractfile(member) if member.isreg() else None
                    if stream is not None:
                        data = stream.read()
                        found["sha256:" + hashlib.sha256(data).hexdigest()] = decode(data)[0]
        except (tarfile.TarError, OSError, EOFError) as problem:
            raise VerificationError(f"{path} cannot be read", str(problem), "build again") from problem
    return found
