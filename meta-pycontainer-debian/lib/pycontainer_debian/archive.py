# SPDX-License-Identifier: MIT
"""Downloads and verifies a suite's indexes: gpgv for InRelease, SHA-256 and size for everything below it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import DebianError
from .index import Package, Release, check_release, parse_packages, parse_release
from .universe import FORMAT, write

_INDEX_LIMIT = 512 * 1024 * 1024
_FRESH_SECONDS = 600
MAIN = ("main",)
NO_KEYRING = "install the package debian-archive-keyring, or set DEBIAN_KEYRING to a file that holds Debian's keys"

Download = Callable[[str, Path], None]


@dataclass(frozen=True)
class Mirror:
    """Base addresses of the two archives, without a trailing slash, and the keyring that their indexes must satisfy."""

    main: str
    security: str
    keyring: Path

    def base(self, archive: str) -> str:
        """Return the base address of the archive "debian" or "debian-security"."""
        return self.security if archive == "debian-security" else self.main


@dataclass(frozen=True)
class Indexes:
    """A verified set of indexes: the candidates' SQLite file, the newest date, and each InRelease's SHA-256."""

    universe: Path
    date: int
    releases: dict[str, str]


def suites_of(suite: str) -> tuple[tuple[str, str], ...]:
    """Return the (suite, archive) pairs that make up one stable distribution; the earlier wins for equal versions."""
    return ((suite, "debian"), (f"{suite}-updates", "debian"), (f"{suite}-security", "debian-security"))


def wget(url: str, target: Path) -> None:
    """Download to `target`; raises DebianError with the program's last words."""
    argv = ["wget", "--no-verbose", "--tries=3", "--timeout=30", "--waitretry=2", "-O", str(target), url]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as problem:
        raise DebianError("the program wget is missing", str(problem), "install the package wget") from problem
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        last = (done.stderr.strip().splitlines() or [f"wget exit status {done.returncode}"])[-1]
        raise DebianError(
            f"cannot download {url}",
            last,
            "check the network, or set PYCONTAINER_DEBIAN_MIRROR to a mirror that can be reached; with a lock file and "
            "the packages in DL_DIR no network is needed",
        )


def served(url: str) -> bool:
    """Say whether an address is there to be downloaded: tells what is gone, or damaged, from what is out of reach."""
    argv = ["wget", "--quiet", "--spider", "--tries=1", "--timeout=15", url]
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def verify_inrelease(path: Path, keyring: Path) -> str:
    """Return the signed text of an InRelease file, having checked that a key of the keyring made its signature."""
    if not keyring.is_file():
        raise DebianError("the Debian archive keyring is missing", f"no file {keyring}", NO_KEYRING)
    text = path.with_name(f".{path.name}.{os.getpid()}.verified")
    argv = ["gpgv", "--status-fd", "1", "--keyring", str(keyring), "--output", str(text), str(path)]
    text.unlink(missing_ok=True)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        words = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("[GNUPG:] ")]
        # The exit status also fails for a further signature by a key that the keyring lacks, as apt allows it.
        if "VALIDSIG" not in words or "BADSIG" in words or "EXPKEYSIG" in words or "REVKEYSIG" in words:
            reason = " / ".join(done.stderr.strip().splitlines()[-2:]) or "no valid signature"
            raise DebianError(
                f"the signature of {path.name} of the mirror is not Debian's", reason, f"{NO_KEYRING}; or change mirror"
            )
        return text.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        raise DebianError("the program gpgv is missing", str(problem), "install the package gpgv") from problem
    finally:
        text.unlink(missing_ok=True)


def _checked(path: Path, size: int, digest: str) -> bool:
    if not path.is_file() or path.stat().st_size != size or size > _INDEX_LIMIT:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == digest


def fetch_packages(
    base: str, suite: str, release: Release, arch: str, folder: Path, download: Download, component: str = "main"
) -> Path:
    """Return the path of a component's Packages.xz, downloaded by its hash unless the folder already has it."""
    place = f"{component}/binary-{arch}"
    name = f"{place}/Packages.xz"
    if name not in release.files:
        raise DebianError(f"the suite {suite} has no packages for {arch}", f"its InRelease file names no {name}")
    size, digest = release.files[name]
    path = folder / f"{digest}.Packages.xz"
    if not _checked(path, size, digest):
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        download(f"{base}/dists/{suite}/{place}/by-hash/SHA256/{digest}", temporary)
        if not _checked(temporary, size, digest):
            temporary.unlink(missing_ok=True)
            raise DebianError(
                f"the mirror's {name} of {suite} is not the one that its InRelease file signs",
                f"expected {size} bytes with SHA-256 {digest}",
                "the mirror is damaged or in the middle of an update: try again later, or use another",
            )
        temporary.replace(path)
    return path


def _packages(paths: list[tuple[Path, str]]) -> Iterator[Package]:
    for path, archive in paths:
        with lzma.open(path, "rt", encoding="utf-8") as stream:
            text = stream.read(_INDEX_LIMIT)
        yield from parse_packages(text, archive)


def indexes(
    mirror: Mirror,
    suite: str,
    arch: str,
    folder: Path,
    fresh: bool,
    download: Download = wget,
    components: tuple[str, ...] = MAIN,
) -> Indexes:
    """Return the verified indexes of a suite for one architecture; the caller holds the folder's lock.

    `components` are the archive's that packages come from; beside main one counts where a suite has it.
    Indexes younger than ten minutes are used again, so that one build asks the mirror once; `fresh` asks in any case.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = "+".join([f"{suite}-{arch}", *(each for each in components if each not in MAIN)])
    identity = hashlib.sha256(f"{mirror.main} {mirror.security} {target} {FORMAT}".encode()).hexdigest()[:16]
    state = folder / f"{target}-{identity}.json"
    if not fresh and state.is_file() and 0 <= time.time() - state.stat().st_mtime < _FRESH_SECONDS:
        # A power cut may have left the file empty; what cannot be read is made again.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            facts = json.loads(state.read_text(encoding="utf-8"))
            if (folder / facts["universe"]).is_file():
                return Indexes(folder / facts["universe"], facts["date"], facts["releases"])
    return _refresh(mirror, suite, arch, folder, state, download, components, target)


def _refresh(
    mirror: Mirror,
    suite: str,
    arch: str,
    folder: Path,
    state: Path,
    download: Download,
    components: tuple[str, ...],
    target: str,
) -> Indexes:
    releases: dict[str, str] = {}
    date = 0
    paths: list[tuple[Path, str]] = []
    for name, archive in suites_of(suite):
        base = mirror.base(archive)
        inrelease = folder / f"{name}.InRelease"
        download(f"{base}/dists/{name}/InRelease", inrelease)
        release = parse_release(verify_inrelease(inrelease, mirror.keyring))
        check_release(release, name, int(time.time()))
        releases[name] = hashlib.sha256(inrelease.read_bytes()).hexdigest()
        date = max(date, release.date)
        for component in components:
            if component in MAIN or f"{component}/binary-{arch}/Packages.xz" in release.files:
                paths.append((fetch_packages(base, name, release, arch, folder, download, component), archive))
    digest = hashlib.sha256("\n".join([FORMAT, *(p.name for p, _ in paths)]).encode()).hexdigest()
    universe = folder / f"{target}-{digest[:32]}.sqlite"
    if not universe.is_file():
        for old in folder.glob(f"{target}-*.sqlite"):
            old.unlink()
        write(universe, _packages(paths))
    facts = {"universe": universe.name, "date": date, "releases": releases}
    temporary = state.with_name(f".{state.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(facts), encoding="utf-8")
    temporary.replace(state)
    return Indexes(universe, date, releases)
