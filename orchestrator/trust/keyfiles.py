# SPDX-License-Identifier: MIT
"""The files in a product's folder of keys: names, locking, and what each file may say.

`<name>.key.pem` (PKCS#8, mode 0600) or `<name>.key.toml` (the command that signs in its place), `<name>.pub.json`
(product, key id, public key, role), `trust.json` (threshold while there is no root document), `root/` (documents).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import canonical_json, make_folders, sync_folder, write_atomically
from orchestrator.errors import ConfigError, TrustError
from orchestrator.oci.files import exclusive_lock, explained
from orchestrator.oci.strict import decode
from orchestrator.trust.command import COMMAND, CommandSigner
from orchestrator.trust.private import PrivateKey, passphrase
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.role import RoleName

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_LIMIT = 64 * 1024
PRIVATE = ".key.pem"
PUBLIC = ".pub.json"


class PublicFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A public key and what the product's owner made it for; a retired key signs along for devices that know it.

    `replaces` is the id of the key in whose place it was made, so that a rotation that was killed is gone on with.
    """

    schema_version: Literal[1]
    product: str
    keyid: str
    public: str
    role: RoleName | None = None
    retired: bool = False
    replaces: str | None = None


class _TrustFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    schema_version: Literal[1]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=32)]


def keys_folder(product: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of a product's keys, there or not; raises ConfigError for a name that is no folder name."""
    if not _NAME.match(product):
        raise ConfigError(f"not a product name: {product!r}", "lower-case letters, digits, . _ and -")
    if own := environment.get("PYCONTAINER_KEYS"):
        return Path(own) / product
    data = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".local" / "share")
    return Path(data) / "pycontainer" / "keys" / product


def has_keys(product: str, environment: Mapping[str, str] = os.environ) -> bool:
    """True when there is any key, or root document, of a product here."""
    folder = keys_folder(product, environment)
    return folder.is_dir() and any(
        any(folder.glob(pattern)) for pattern in ("*" + PUBLIC, "*" + PRIVATE, "root/*.json")
    )


def refuse_name(product: str, folder: Path, name: str, *, unfinished: bool = False) -> None:
    """Raise ConfigError for a name that no new key can have; the caller holds the folder's lock.

    With `unfinished`, a private key that lacks its public file does not take the name: its maker was killed.
    """
    if not _NAME.match(name):
        raise ConfigError(f"not a key name: {name!r}", "lower-case letters, digits, . _ and -")
    taken = (PUBLIC, COMMAND) if unfinished else (PUBLIC, PRIVATE, COMMAND)
    if name in {found for suffix in taken for found in names(folder, suffix)}:
        raise ConfigError(f"there is a key {name!r} of product {product!r} already", f"in {folder}", "choose another")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder when it is missing, and keep every other writer out."""
    with explained("make the folder of the keys", folder):
        make_folders(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
    check_folder(folder)
    with exclusive_lock(folder / ".lock", timeout=30), explained("write a key", folder):
        for pattern in (".*.new", ".*.tmp"):  # of a command that was killed; the lock says that nobody writes them now
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        yield


def complete(product: str, folder: Path, name: str, environment: Mapping[str, str]) -> None:
    """Write the public file of the first private key when it is lacking: its maker may have been killed in between.

    Of others nobody knows any more what they were made for: they wait for the same command to be run again.
    """
    if (folder / (name + PRIVATE)).exists() and not (folder / (name + PUBLIC)).exists():
        private = PrivateKey.load(folder / (name + PRIVATE), passphrase(environment))
        write_public(product, folder, name, private.public)


def write_public(
    product: str,
    folder: Path,
    name: str,
    public: PublicKey,
    *,
    role: RoleName | None = None,
    retired: bool = False,
    replaces: str | None = None,
) -> None:
    """Write a key's public file; the caller holds the lock."""
    value = {"schemaVersion": 1, "product": product, "keyid": public.keyid, "public": public.base64}
    more: dict[str, object] = {"role": role, "retired": retired, "replaces": replaces}
    more = {name: what for name, what in more.items() if what}
    write_atomically(folder / (name + PUBLIC), canonical_json(value | more) + b"\n")


def load_public(product: str, folder: Path, name: str) -> tuple[PublicKey, PublicFile]:
    """Return a public key and its file; raises TrustError when it is of another product or damaged."""
    path = folder / (name + PUBLIC)
    file = decode(read(path), PublicFile, str(path), limit=_LIMIT, error=TrustError)
    if file.product != product:
        raise TrustError(
            f"{path} is a key of another product",
            f"it is of {file.product[:80]!r}, not of {product!r}",
            "keep each product's keys in its own folder",
        )
    public = PublicKey.from_base64(file.public)
    if public.keyid != file.keyid:
        raise TrustError(f"{path} is damaged", "its key id is not that of its key", "restore it from a copy")
    return public, file


def load_signer(folder: Path, name: str, public: PublicKey, environment: Mapping[str, str]) -> Signer:
    """Return what signs for a key: the private key of its file, or its command."""
    if not (folder / (name + PRIVATE)).exists():
        return CommandSigner.load(folder / (name + COMMAND), public)
    private = PrivateKey.load(folder / (name + PRIVATE), passphrase(environment))
    if private.public != public:
        raise TrustError(
            f"the key files of {name!r} do not belong together",
            f"{name}{PRIVATE} is not the private part of {name}{PUBLIC} in {folder}",
            "restore both from one copy",
        )
    return private


def read_threshold(folder: Path) -> int:
    """Return how many must sign, as `trust.json` says; 1 without it."""
    path = folder / "trust.json"
    if not path.exists():
        return 1
    return decode(read(path), _TrustFile, str(path), limit=_LIMIT, error=TrustError).threshold


def write_threshold(folder: Path, threshold: int) -> None:
    """Write `trust.json`; the caller holds the lock."""
    write_atomically(folder / "trust.json", canonical_json({"schemaVersion": 1, "threshold": threshold}) + b"\n")


def read(path: Path) -> bytes:
    """Return a small file's bytes, one more than any may have at most."""
    with explained("read a key", path), path.open("rb") as stream:
        return stream.read(_LIMIT + 1)


def names(folder: Path, suffix: str) -> list[str]:
    """Return the names of the keys that have a file of this kind, sorted."""
    with explained("list the keys", folder):
        found = [path.name.removesuffix(suffix) for path in folder.iterdir() if path.name.endswith(suffix)]
    return sorted(name for name in found if _NAME.match(name))


def check_folder(folder: Path) -> None:
    """Raise TrustError unless the folder is there and nobody else may write to it."""
    try:
        with explained("use the keys", folder):
            mode = folder.stat().st_mode
    except ConfigError as problem:
        if not isinstance(problem.__cause__, FileNotFoundError):
            raise
        raise TrustError(
            "there are no keys",
            f"{folder} does not exist",
            "take in the public key of who signs (pycontainer key import NAME FILE); or make the product's first key: "
            "pycontainer key",
        ) from problem
    if not stat.S_ISDIR(mode):
        raise TrustError("the folder of the keys is not a folder", str(folder))
    if mode & 0o022:
        raise TrustError(
            f"others may write to {folder}",
            f"its mode is {mode & 0o7777:04o}",
            f"run: chmod 700 {shlex.quote(str(folder))}",
        )
