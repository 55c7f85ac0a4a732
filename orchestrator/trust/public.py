# SPDX-License-Identifier: MIT
"""Ed25519 public keys, and what can sign for one."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from orchestrator.errors import TrustError
from orchestrator.oci.strict import decode

PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


_SSH = b"\0\0\0\x0bssh-ed25519\0\0\0 "
"""How the public key blob of an Ed25519 key begins in OpenSSH's form; its 32 bytes follow."""


_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""The points of small order without their sign bit, the spellings above the prime too: a key that is one would confirm
signatures that nobody made, and the device's library accepts none of them, as a key or within a signature."""


def _of_small_order(point: bytes) -> bool:
    return point[:31] + bytes([point[31] & 0x7F]) in _SMALL_ORDER


class _Public(msgspec.Struct, frozen=True):
    public: str


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key: its 32 bytes (RFC 8032, section 5.1.5)."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC_SIZE:
            raise TrustError("not an Ed25519 public key", f"it has {len(self.raw)} bytes in place of {PUBLIC_SIZE}")
        if _of_small_order(self.raw):
            raise TrustError("not an Ed25519 public key", "it is a point of small order, which confirms anything")

    @property
    def keyid(self) -> str:
        """The SHA-256 of the key's bytes, 64 lower-case hex digits."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def base64(self) -> str:
        """The key's bytes in standard base64."""
        return base64.b64encode(self.raw).decode("ascii")

    @property
    def pem(self) -> bytes:
        """The key as SubjectPublicKeyInfo in PEM (RFC 8410), as openssl and cosign read it."""
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def from_base64(cls, text: str) -> PublicKey:
        """Return the key from standard base64; raises TrustError when it is not one."""
        return cls(strict_base64(text, "a public key"))

    @classmethod
    def from_pem(cls, data: bytes) -> PublicKey:
        """Return the key from SubjectPublicKeyInfo in PEM; raises TrustError when it is no Ed25519 key."""
        try:
            key = load_pem_public_key(data)
        except Exception as problem:  # cryptography raises several unrelated types for malformed input
            raise TrustError(
                "not a public key", str(problem)[:200], "PEM with BEGIN PUBLIC KEY is expected"
            ) from problem
        if not isinstance(key, Ed25519PublicKey):
            raise TrustError("not an Ed25519 public key", f"it is a {type(key).__name__}")
        return cls(key.public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def ssh(self) -> str:
        """The key as OpenSSH writes it in one line, without a comment (RFC 8709, section 4)."""
        return "ssh-ed25519 " + base64.b64encode(_SSH + self.raw).decode("ascii")

    @classmethod
    def from_any(cls, data: bytes) -> PublicKey:
        """Return the key from PEM, from a line of OpenSSH, or from JSON with a member `public` (base64)."""
        text = data.strip()
        if text.startswith(b"ssh-"):
            words = text.decode("ascii", "replace").split()
            blob = strict_base64(words[1] if len(words) > 1 else "", "an OpenSSH key")
            if words[0] != "ssh-ed25519" or not blob.startswith(_SSH):
                raise TrustError(
                    "not an Ed25519 public key", f"it is {words[0][:40]}", "make one: ssh-keygen -t ed25519"
                )
            return cls(blob[len(_SSH) :])
        if text.startswith(b"{"):
            return cls.from_base64(decode(text, _Public, "the public key", limit=65536, error=TrustError).public)
        return cls.from_pem(data)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True when `signature` is this key's over `message`."""
        if len(signature) != SIGNATURE_SIZE or _of_small_order(signature[:PUBLIC_SIZE]):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """Whatever signs for a public key: a file, a token, an agent."""

    @property
    def public(self) -> PublicKey:
        """The key that the signatures verify with."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message`."""


def strict_base64(text: str, what: str) -> bytes:
    """Return the bytes of standard base64 with padding (RFC 4648, section 4); raises TrustError on any other spelling.

    Unused bits must be zero: one value has one spelling.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as problem:
        raise TrustError(f"{what} is not standard base64", str(problem)[:200]) from problem
    if base64.b64encode(data).decode("ascii") != text:
        raise TrustError(f"{what} is not standard base64", "its unused bits are not zero, or its padding is wrong")
    return data
