# SPDX-License-Identifier: MIT
"""Laying out the source bundle: `FOLDER/<layer>/<source>_<version>/<files>` and `FOLDER/sources.json`.

What cannot be had stands in the list of missing sources, and the bundle is not complete: a release must not go out on
it. A file that is there already with its hash is not fetched again; equal files of several layers are hard links.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.canonical import canonical_json, hash_file, read_limited, remove_leftovers, write_atomically
from orchestrator.compliance.bundle.debian import Indexes, RemoteFile, codename
from orchestrator.compliance.bundle.mirror import Download
from orchestrator.compliance.sources import Source
from orchestrator.errors import FetchError, VerificationError
from orchestrator.oci.strict import load_json

MANIFEST = "sources.json"
_SAFE = re.compile(r"[^A-Za-z0-9.+~_-]+")
_LIMIT = 64 * 1024 * 1024

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Missing:
    """A source that is not in the bundle, and why."""

    layer: str
    name: str
    version: str
    components: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk: what it holds (layer, source, files with hashes) and what is missing."""

    folder: Path
    entries: tuple[dict[str, Any], ...]
    missing: tuple[Missing, ...]

    @property
    def size(self) -> int:
        """Bytes of all files, each layer counted by itself."""
        return sum(file["size"] for entry in self.entries for file in entry["files"])


def make_bundle(
    listed: Sequence[Source],
    folder: Path,
    indexes: Indexes,
    download: Download,
    *,
    local: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Make or complete the bundle of those sources in `folder`; the ones that nothing owes are left to the caller.

    `local` are source archives on this machine by `name_version`. Raises FetchError or TrustError when the indexes
    cannot be had; a single source that cannot is `missing`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, r"\.source\.(\d+)\.tmp")
    remote, problems = _located(listed, indexes)
    total = sum(file.size for files in remote.values() for file in files)
    done = 0
    entries: list[dict[str, Any]] = []
    missing = []
    known: dict[str, Path] = {}
    for source in listed:
        key = (source.name, source.version)
        target = folder / _SAFE.sub("_", source.layer) / _SAFE.sub("_", f"{source.name}_{source.version}")
        try:
            if (own := (local or {}).get(f"{source.name}_{source.version}")) is not None:
                files = [_local(own, target, known)]
            elif key in remote:
                files = []
                for file in remote[key]:
                    files.append(_fetched(file, target, folder, known, download))
                    done += file.size
                    if progress is not None:
                        progress(min(done, total), total)
            else:
                raise FetchError("", problems.get(key, "nothing says where it is"))
        except FetchError as problem:
            why = " ".join(filter(None, (problem.what, problem.why)))
            missing.append(Missing(source.layer, source.name, source.version, source.components, why))
            continue
        entries.append({"layer": source.layer, "name": source.name, "version": source.version, "files": files,
                        "components": list(source.components), "licences": list(source.licences)})  # fmt: skip
    bundle = Bundle(folder, tuple(entries), tuple(missing))
    write_atomically(folder / MANIFEST, canonical_json(to_data(bundle)) + b"\n")
    return bundle


def to_data(bundle: Bundle) -> dict[str, Any]:
    """Return a bundle's manifest as plain values."""
    gone = [
        {"layer": each.layer, "name": each.name, "version": each.version, "components": list(each.components),
         "why": each.why}
        for each in bundle.missing
    ]  # fmt: skip
    return {"schemaVersion": 1, "complete": not gone, "sources": list(bundle.entries), "missing": gone}


def _located(
    listed: Sequence[Source], indexes: Indexes
) -> tuple[dict[tuple[str, str], list[RemoteFile]], dict[tuple[str, str], str]]:
    """Find the files of every source: Debian's by index, others by an address with a hash."""
    by_suite: dict[str, set[tuple[str, str]]] = {}
    remote: dict[tuple[str, str], list[RemoteFile]] = {}
    problems: dict[tuple[str, str], str] = {}
    for source in listed:
        key = (source.name, source.version)
        sha256 = dict(source.hashes).get("sha256", "")
        if not source.name:
            problems[key] = "its component does not say what it was built from"
        elif source.kind == "deb" and (suite := codename(source.distro)):
            by_suite.setdefault(suite, set()).add(key)
        elif source.uri.startswith(("https://", "http://")) and sha256:
            name = _SAFE.sub("_", source.uri.partition("?")[0].rpartition("/")[2]) or "source"
            remote[key] = [RemoteFile(source.uri, name, 0, sha256)]
        else:
            problems[key] = "the documents name no address with a hash"
    for suite, wanted in sorted(by_suite.items()):
        found = indexes.find(suite, wanted)
        remote |= found
        for key in wanted - found.keys():
            problems[key] = f"the mirror's {suite} does not have this version any more"
    return remote, problems


def _fetched(
    file: RemoteFile, target: Path, folder: Path, known: dict[str, Path], download: Download
) -> dict[str, Any]:
    place = target / file.name
    wanted = f"sha256:{file.sha256}"
    if not (place.is_file() and hash_file(place) == wanted):
        target.mkdir(parents=True, exist_ok=True)
        if wanted in known:
            place.unlink(missing_ok=True)
            os.link(known[wanted], place)
        else:
            temporary = folder / f".source.{os.getpid()}.tmp"
            try:
                download(file.url, temporary, file.size or 1 << 33)
                if hash_file(temporary) != wanted:
                    raise FetchError(f"{file.name} has another SHA-256 than {file.sha256}")
                temporary.replace(place)
            finally:
                temporary.unlink(missing_ok=True)
    known[wanted] = place
    return {"name": file.name, "size": place.stat().st_size, "sha256": file.sha256}


def _local(own: Path, target: Path, known: dict[str, Path]) -> dict[str, Any]:
    try:
        digest = hash_file(own)
        target.mkdir(parents=True, exist_ok=True)
        place = target / own.name
        if not (place.is_file() and hash_file(place) == digest):
            write_atomically(place, own.read_bytes())
    except OSError as problem:
        raise FetchError(f"{own} cannot be used", problem.strerror or str(problem)) from problem
    known[digest] = place
    return {"name": own.name, "size": place.stat().st_size, "sha256": digest.removeprefix("sha256:")}


def bundled(folder: Path) -> frozenset[tuple[str, str]]:
    """Return name and version of every source that a bundle holds, each file checked by its hash.

    Raises VerificationError when the bundle is damaged or has no manifest.
    """
    path = folder / MANIFEST
    try:
        data = read_limited(path, _LIMIT)
        value = load_json(data, str(path), limit=_LIMIT)
        found = set()
        for entry in value["sources"]:
            place = folder / _SAFE.sub("_", entry["layer"]) / _SAFE.sub("_", f"{entry['name']}_{entry['version']}")
            for file in entry["files"]:
                name = file["name"]
                if "/" in name or hash_file(place / name) != f"sha256:{file['sha256']}":
                    raise VerificationError(f"{place / name} is not what {MANIFEST} says", "its hash is another one")
            found.add((entry["name"], entry["version"]))
    except (OSError, KeyError, TypeError) as problem:
        raise VerificationError(f"{folder} is no whole source bundle", str(problem), "fetch it again") from problem
    return frozenset(found)
