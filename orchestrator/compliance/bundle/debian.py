# SPDX-License-Identifier: MIT
"""Debian's source indexes: signed, hashed, and read for the few packages that are wanted.

Sources: Debian's repository format (dists/SUITE/InRelease, COMPONENT/source/Sources.xz, by-hash), deb-src-control(5).
"""

from __future__ import annotations

import lzma
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import hash_file
from orchestrator.compliance.bundle.mirror import Download, has_programs
from orchestrator.errors import FetchError, TrustError

CODENAMES = {"11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_COMPONENTS = ("main", "contrib", "non-free-firmware", "non-free")
_INDEX_LIMIT = 512 * 1024 * 1024
_RELEASE_LIMIT = 4 * 1024 * 1024
_FILE_LIMIT = 8 * 1024 * 1024 * 1024
_HASH_LINE = re.compile(r" ([0-9a-f]{64}) +(\d{1,13}) +(\S+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_:-]{0,254}\Z")
_FOLDER = re.compile(r"pool/[A-Za-z0-9.+~_/-]{1,400}\Z")

Wanted = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a source package: address, name, size in bytes and SHA-256, out of a signed index."""

    url: str
    name: str
    size: int
    sha256: str


def codename(distro: str) -> str:
    """Return the suite of a purl's distro qualifier (`debian-13`: trixie), empty when it is not known."""
    name, _, version = distro.partition("-")
    return CODENAMES.get(version.partition(".")[0], version if version.isalpha() else "") if name == "debian" else ""


def verified(path: Path, keyring: Path = KEYRING) -> str:
    """Return the signed text of an InRelease file; raises TrustError when no key of the keyring signed it."""
    has_programs("gpgv")
    if not keyring.is_file():
        raise TrustError("the Debian archive keyring is missing", f"no file {keyring}", "install that package")
    argv = ["gpgv", "--status-fd", "2", "--keyring", str(keyring), "--output", "-", str(path)]
    done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    words = [line.split()[1:2] for line in done.stderr.decode(errors="replace").splitlines() if "[GNUPG:]" in line]
    said = {word[0] for word in words if word}
    if "VALIDSIG" not in said or said & {"BADSIG", "EXPKEYSIG", "REVKEYSIG"}:
        raise TrustError(
            f"the signature of {path.name} is not Debian's", "no key of the archive keyring made it", "change mirror"
        )
    return done.stdout.decode("utf-8", "replace")


class Indexes:
    """The source indexes of one release on a mirror, fetched once into a folder.

    `download` and `verify` are the network and the signature check, for tests to replace.
    """

    def __init__(
        self, main: str, security: str, folder: Path, download: Download, verify: Callable[[Path], str] = verified
    ) -> None:
        self.main, self.security, self.folder = main, security, folder
        self.download, self.verify = download, verify

    def find(self, suite: str, wanted: Iterable[Wanted]) -> dict[Wanted, list[RemoteFile]]:
        """Return the files of those wanted source packages (name and version) that the release still has.

        Raises FetchError or TrustError when an index cannot be had or is not what Debian signed.
        """
        left = set(wanted)
        found: dict[Wanted, list[RemoteFile]] = {}
        places = ((suite, self.main), (f"{suite}-updates", self.main), (f"{suite}-security", self.security))
        releases = [(name, base, self._release(name, base)) for name, base in places]
        for component in _COMPONENTS:
            for name, base, hashes in releases:
                if not left or (entry := hashes.get(f"{component}/source/Sources.xz")) is None:
                    continue
                for key, files in self._read(name, base, component, *entry, left):
                    found.setdefault(key, files)
                left -= found.keys()
        return found

    def _release(self, suite: str, base: str) -> dict[str, tuple[str, int]]:
        path = self.folder / f"{suite}.InRelease"
        self.download(f"{base}/dists/{suite}/InRelease", path, _RELEASE_LIMIT)
        text = self.verify(path)
        section = text.partition("\nSHA256:\n")[2]
        found = {}
        for line in section.splitlines():
            match = _HASH_LINE.match(line)
            if match is None:
                break
            found[match[3]] = (match[1], int(match[2]))
        return found

    def _read(
        self, suite: str, base: str, component: str, digest: str, size: int, wanted: set[Wanted]
    ) -> Iterator[tuple[Wanted, list[RemoteFile]]]:
        path = self.folder / f"{digest}.Sources.xz"
        if not path.is_file() or hash_file(path) != f"sha256:{digest}":
            temporary = path.with_suffix(".tmp")
            self.download(f"{base}/dists/{suite}/{component}/source/by-hash/SHA256/{digest}", temporary, size)
            if hash_file(temporary) != f"sha256:{digest}":
                temporary.unlink()
                raise FetchError(
                    f"the source index of {suite} is not the signed one",
                    f"expected SHA-256 {digest}",
                    "try again later",
                )
            temporary.replace(path)
        try:
            with lzma.open(path, "rt", encoding="utf-8", errors="replace") as stream:
                text = stream.read(_INDEX_LIMIT)
        except (lzma.LZMAError, EOFError) as problem:
            raise FetchError(f"the source index of {suite} is damaged", str(problem)) from problem
        yield from read_sources(text, base, wanted)


def read_sources(text: str, base: str, wanted: set[Wanted]) -> Iterator[tuple[Wanted, list[RemoteFile]]]:
    """Yield the files of the wanted packages of a Sources index; entries of a wrong form are left out."""
    names = {name for name, _ in wanted}
    for paragraph in text.split("\n\n"):
        first = paragraph.lstrip("\n").partition("\n")[0]
        if not first.startswith("Package: ") or first[9:].strip() not in names:
            continue
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line.startswith((" ", "\t")):
                fields[name] = fields.get(name, "") + line + "\n"
            else:
                name, _, value = line.partition(":")
                fields[name] = value.strip() + "\n" if value.strip() else ""
        key = (fields.get("Package", "").strip(), fields.get("Version", "").strip())
        folder = fields.get("Directory", "").strip()
        if key not in wanted or not _FOLDER.match(folder) or ".." in folder.split("/"):
            continue
        files: list[RemoteFile] = []
        for line in fields.get("Checksums-Sha256", "").splitlines():
            match = _HASH_LINE.match(" " + line.strip())
            if match is None or not _NAME.match(match[3]) or int(match[2]) > _FILE_LIMIT:
                files = []
                break
            files.append(RemoteFile(f"{base}/{folder}/{match[3]}", match[3], int(match[2]), match[1]))
        if files:
            yield key, files
