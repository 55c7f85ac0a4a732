# SPDX-License-Identifier: MIT
"""Private keys in files: PKCS#8 in PEM, for the owner's eyes only, encrypted when a passphrase is given."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from orchestrator.canonical import sync_folder, write_atomically
from orchestrator.errors import TrustError
from orchestrator.oci.files import explained
from orchestrator.trust.public import PublicKey

PASSPHRASE = "PYCONTAINER_KEY_PASSPHRASE"
PASSPHRASE_FILE = "PYCONTAINER_KEY_PASSPHRASE_FILE"
_LIMIT = 64 * 1024


class PrivateKey:
    """An Ed25519 private key in memory; a `Signer`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.keyid[:12]})"

    @classmethod
    def generate(cls) -> PrivateKey:
        """Return a new key from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> PrivateKey:
        """Return the key of a 32-byte seed (RFC 8032's private key)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message`; the same message gives the same signature."""
        return self._key.sign(message)

    def save(self, path: Path, secret: bytes | None) -> None:
        """Write the key to a file that must not exist: mode 0600 from its first instant, complete or absent.

        `secret` encrypts it. The caller holds the folder's lock. Raises TrustError when the file exists.
        """
        data = self._pem(secret)
        temporary = path.with_name(f".{path.name}.new")
        with explained("write a private key", path):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                path.hardlink_to(temporary)  # unlike a rename, refuses to replace a key
            except FileExistsError as problem:
                raise TrustError(f"{path} exists already", "a private key is never overwritten") from problem
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            sync_folder(path.parent)

    def replace(self, path: Path, secret: bytes | None) -> None:
        """Write the key in place of its own file, encrypted by `secret` when given; old or new, never between."""
        write_atomically(path, self._pem(secret), 0o600)

    def _pem(self, secret: bytes | None) -> bytes:
        encryption: KeySerializationEncryption = BestAvailableEncryption(secret) if secret else NoEncryption()
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    @classmethod
    def load(cls, path: Path, secret: bytes | None) -> PrivateKey:
        """Return the key of a file; raises TrustError when others may read it, it is encrypted and `secret` is none
        or wrong, or it is no Ed25519 key in PKCS#8 PEM.
        """
        data = _read_secret(path, "private key")
        encrypted = b"ENCRYPTED" in data[:100]
        if encrypted and secret is None:
            secret = _asked(path)
        if encrypted and secret is None:
            raise TrustError(
                f"the private key {path} is encrypted",
                "no passphrase was given",
                f"name a file that holds it: {PASSPHRASE_FILE}=FILE",
            )
        if b"-----BEGIN PRIVATE KEY-----" not in data and b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in data:
            raise TrustError(
                f"{path} is not a private key in PKCS#8 PEM", "its first line is not the right one", _RESTORE
            )
        try:
            key = load_pem_private_key(data, secret if encrypted else None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
            why = "the passphrase is wrong, or the file is damaged" if encrypted else "the file is damaged"
            raise TrustError(f"the private key {path} cannot be opened", why, _RESTORE) from problem
        if not isinstance(key, Ed25519PrivateKey):
            raise TrustError(f"{path} is not an Ed25519 key", f"it is a {type(key).__name__.lstrip('_')}", _RESTORE)
        return cls(key)


_RESTORE = "restore it from a copy; without one, move the key's files away: 'pycontainer key' makes a new first key"


def passphrase(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """Return the passphrase of private keys, or None when the environment names none.

    It is what PYCONTAINER_KEY_PASSPHRASE holds, or the first line of the file that PYCONTAINER_KEY_PASSPHRASE_FILE
    names. Raises TrustError when others may read that file, it is empty, or both are set.
    """
    name, direct = environment.get(PASSPHRASE_FILE), environment.get(PASSPHRASE)
    if name and direct:
        raise TrustError("two passphrases are given", f"{PASSPHRASE} and {PASSPHRASE_FILE}", "unset one of them")
    if not name:
        return direct.encode() if direct else None
    secret = _read_secret(Path(name), "passphrase").split(b"\n", 1)[0].rstrip(b"\r")
    if not secret:
        raise TrustError(
            f"the passphrase file {name} is empty", "", f"write the passphrase to it or unset {PASSPHRASE_FILE}"
        )
    return secret


_answers: dict[Path, bytes] = {}
"""What was typed already, by the key's file: one command asks once."""


def _asked(path: Path) -> bytes | None:
    """Ask for the passphrase of a key on the terminal; None where there is none, or nothing is typed."""
    if path not in _answers and sys.stdin is not None and sys.stdin.isatty():
        try:
            _answers[path] = getpass.getpass(f"passphrase of {path.name}: ").encode()
        except EOFError:
            return None
    return _answers.get(path) or None


def _read_secret(path: Path, what: str) -> bytes:
    with explained(f"read the {what}", path), path.open("rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise TrustError(
                f"others may use the {what} {path}",
                f"its mode is {mode & 0o7777:04o}",
                f"run: chmod 600 {shlex.quote(str(path))}",
            )
        data = stream.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise TrustError(f"the {what} {path} is too large", f"the limit is {_LIMIT} bytes")
    return data
