# SPDX-License-Identifier: MIT
"""The keys of a product on the build machine: made on first use, private, and never near BitBake.

`$PYCONTAINER_KEYS/<product>/`, or `${XDG_DATA_HOME:-~/.local/share}/pycontainer/keys/<product>/` (mode 0700):
`<name>.key.pem` (PKCS#8, mode 0600), `<name>.pub.json` (product, key id, public key), `trust.json` (threshold).
A public key whose private part lies elsewhere is trusted like the others.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import canonical_json, write_atomically
from orchestrator.errors import ConfigError, TrustError
from orchestrator.oci.files import exclusive_lock, explained
from orchestrator.oci.strict import decode
from orchestrator.trust.private import PrivateKey, passphrase
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.role import Role, RoleName

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_LIMIT = 64 * 1024
_FIRST = "signing"
_PRIVATE = ".key.pem"
_PUBLIC = ".pub.json"


class _PublicFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    schema_version: Literal[1]
    product: str
    keyid: str
    public: str


class _TrustFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    schema_version: Literal[1]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=32)]


@dataclass(frozen=True)
class NamedKey:
    """A trusted key: its name in the folder, its public part, and whether its private part is here too."""

    name: str
    public: PublicKey
    private: bool


@dataclass(frozen=True)
class ProductKeys:
    """The keys that a product trusts and how many of them must sign."""

    product: str
    folder: Path
    keys: tuple[NamedKey, ...]
    threshold: int

    def public_keys(self) -> list[PublicKey]:
        """Return the trusted public keys, sorted by key id."""
        return sorted((key.public for key in self.keys), key=lambda key: key.keyid)

    def role(self, name: RoleName) -> Role:
        """Return who has a role; without a root document the product's keys have all but that of root."""
        if name == "root":
            raise TrustError(f"product {self.product!r} has no root document", "", "make one: pycontainer trust init")
        return Role(name, tuple(self.public_keys()), self.threshold)

    def facts_keys(self) -> list[tuple[str, str]]:
        """Return (keyid, base64) of each trusted key, as `orchestrator.revision.product_facts` takes them."""
        return [(key.keyid, key.base64) for key in self.public_keys()]

    def signers(self, role: RoleName = "revision", *, environment: Mapping[str, str] = os.environ) -> list[Signer]:
        """Return what can sign here for a role, by name.

        Raises TrustError when no private key of it is here or one is not safe.
        """
        wanted = self.role(role)
        found: list[Signer] = []
        for key in self.keys:
            if key.private and wanted.has(key.public.keyid):
                private = PrivateKey.load(self.folder / (key.name + _PRIVATE), passphrase(environment))
                if private.public != key.public:
                    raise TrustError(
                        f"the key files of {key.name!r} do not belong together",
                        f"{key.name}{_PRIVATE} is not the private part of {key.name}{_PUBLIC} in {self.folder}",
                        "restore both from one copy",
                    )
                found.append(private)
        if not found:
            raise TrustError(
                f"no private key of product {self.product!r} is here",
                f"{self.folder} holds public keys only",
                "build where the private key is, or restore it here from a copy",
            )
        return found


def keys_folder(product: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of a product's keys, there or not; raises ConfigError for a name that is no folder name."""
    if not _NAME.match(product):
        raise ConfigError(f"not a product name: {product!r}", "lower-case letters, digits, . _ and -")
    if own := environment.get("PYCONTAINER_KEYS"):
        return Path(own) / product
    data = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".local" / "share")
    return Path(data) / "pycontainer" / "keys" / product


def product_keys(product: str, *, environment: Mapping[str, str] = os.environ) -> ProductKeys:
    """Return a product's keys, making the first one when there is none yet.

    Two commands that come first at the same time get the same key. Raises TrustError when the folder or a file is
    not safe, of another product, or not what it should be.
    """
    folder = keys_folder(product, environment)
    with _locked(folder):
        if not _names(folder, _PUBLIC) and not _names(folder, _PRIVATE):
            PrivateKey.generate().save(folder / (_FIRST + _PRIVATE), passphrase(environment))
        _complete(product, folder, environment)
    return load_keys(product, environment=environment)


def new_key(product: str, name: str, *, environment: Mapping[str, str] = os.environ) -> NamedKey:
    """Make another key of a product; raises ConfigError when the name is taken."""
    folder = keys_folder(product, environment)
    with _locked(folder):
        _refuse_name(product, folder, name)
        PrivateKey.generate().save(folder / (name + _PRIVATE), passphrase(environment))
        _complete(product, folder, environment)
    return next(key for key in load_keys(product, environment=environment).keys if key.name == name)


def load_keys(product: str, *, environment: Mapping[str, str] = os.environ) -> ProductKeys:
    """Return a product's keys; changes nothing. Raises TrustError when there is none, or one is not acceptable."""
    folder = keys_folder(product, environment)
    _check_folder(folder)
    here = set(_names(folder, _PRIVATE))
    keys = tuple(NamedKey(name, _load_public(product, folder, name), name in here) for name in _names(folder, _PUBLIC))
    if not keys:
        raise TrustError(
            f"product {product!r} has no keys", f"none in {folder}", "'pycontainer key' makes the first one"
        )
    ids = [key.public.keyid for key in keys]
    if len(set(ids)) != len(ids):
        raise TrustError("one key is listed twice", f"two public files in {folder} hold one key", "remove one of them")
    threshold = _threshold(folder)
    if threshold > len(keys):
        raise TrustError(
            "the threshold can never be met",
            f"{folder / 'trust.json'} demands {threshold} signatures of {len(keys)} keys",
            "lower the threshold or add public keys",
        )
    return ProductKeys(product, folder, keys, threshold)


def add_public_key(
    product: str, name: str, public: PublicKey, *, environment: Mapping[str, str] = os.environ
) -> NamedKey:
    """Trust a public key whose private part is elsewhere; raises ConfigError when the name is taken."""
    folder = keys_folder(product, environment)
    with _locked(folder):
        _refuse_name(product, folder, name)
        _write_public(product, folder, name, public)
    return NamedKey(name, public, private=False)


def set_threshold(product: str, threshold: int, *, environment: Mapping[str, str] = os.environ) -> None:
    """Say how many of the product's keys must sign; raises ConfigError when there are fewer keys."""
    count = len(load_keys(product, environment=environment).keys)
    if not 1 <= threshold <= count:
        raise ConfigError(f"the threshold cannot be {threshold}", f"product {product!r} has {count} keys")
    folder = keys_folder(product, environment)
    with _locked(folder):
        write_atomically(folder / "trust.json", canonical_json({"schemaVersion": 1, "threshold": threshold}) + b"\n")


def _refuse_name(product: str, folder: Path, name: str) -> None:
    """Raise ConfigError for a name that no new key can have; the caller holds the folder's lock."""
    if not _NAME.match(name):
        raise ConfigError(f"not a key name: {name!r}", "lower-case letters, digits, . _ and -")
    if name in _names(folder, _PUBLIC) + _names(folder, _PRIVATE):
        raise ConfigError(f"there is a key {name!r} of product {product!r} already", f"in {folder}", "choose another")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with explained("make the folder of the keys", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    _check_folder(folder)
    with exclusive_lock(folder / ".lock", timeout=30), explained("write a key", folder):
        for pattern in (".*.new", ".*.tmp"):  # of a command that was killed; the lock says that nobody writes them now
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        yield


def _complete(product: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Write the public file of each private key that lacks one: its maker may have been killed in between."""
    for name in _names(folder, _PRIVATE):
        if not (folder / (name + _PUBLIC)).exists():
            _write_public(
                product, folder, name, PrivateKey.load(folder / (name + _PRIVATE), passphrase(environment)).public
            )


def _write_public(product: str, folder: Path, name: str, public: PublicKey) -> None:
    value = {"schemaVersion": 1, "product": product, "keyid": public.keyid, "public": public.base64}
    write_atomically(folder / (name + _PUBLIC), canonical_json(value) + b"\n")


def _load_public(product: str, folder: Path, name: str) -> PublicKey:
    path = folder / (name + _PUBLIC)
    file = decode(_read(path), _PublicFile, str(path), limit=_LIMIT, error=TrustError)
    if file.product != product:
        raise TrustError(
            f"{path} is a key of another product",
            f"it is of {file.product[:80]!r}, not of {product!r}",
            "keep each product's keys in its own folder",
        )
    public = PublicKey.from_base64(file.public)
    if public.keyid != file.keyid:
        raise TrustError(f"{path} is damaged", "its key id is not that of its key", "restore it from a copy")
    return public


def _threshold(folder: Path) -> int:
    path = folder / "trust.json"
    if not path.exists():
        return 1
    return decode(_read(path), _TrustFile, str(path), limit=_LIMIT, error=TrustError).threshold


def _read(path: Path) -> bytes:
    with explained("read a key", path), path.open("rb") as stream:
        return stream.read(_LIMIT + 1)


def _names(folder: Path, suffix: str) -> list[str]:
    with explained("list the keys", folder):
        names = [path.name.removesuffix(suffix) for path in folder.iterdir() if path.name.endswith(suffix)]
    return sorted(name for name in names if _NAME.match(name))


def _check_folder(folder: Path) -> None:
    try:
        with explained("use the keys", folder):
            mode = folder.stat().st_mode
    except ConfigError as problem:
        if not isinstance(problem.__cause__, FileNotFoundError):
            raise
        raise TrustError(
            "there are no keys", f"{folder} does not exist", "'pycontainer key' makes the first one"
        ) from problem
    if not stat.S_ISDIR(mode):
        raise TrustError("the folder of the keys is not a folder", str(folder))
    if mode & 0o022:
        raise TrustError(
            f"others may write to {folder}",
            f"its mode is {mode & 0o7777:04o}",
            f"run: chmod 700 {shlex.quote(str(folder))}",
        )
