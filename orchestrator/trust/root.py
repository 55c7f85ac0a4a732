# SPDX-License-Identifier: MIT
"""Root documents: which keys have which role, how many must sign, and how that changes.

A root document is the payload of a DSSE envelope, canonical JSON, numbered from 1. The rules of a chain are those of
TUF (specification 1.0.33, section 5.3): document N+1 is signed by a threshold of the root keys that N names and by a
threshold of its own; no number is left out. Who knows one document can follow to the newest without a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError, TrustError
from orchestrator.oci.strict import decode
from orchestrator.revision.parts import Name, Part, Positive, Time
from orchestrator.trust.dsse import Envelope
from orchestrator.trust.public import PublicKey
from orchestrator.trust.role import ROLES, Role, RoleName
from orchestrator.trust.times import check_time

ROOT_PAYLOAD = "application/vnd.pycontainer.root.v1+json"
"""What the envelope of a root document says that it signs."""
KEYS_LIMIT = 16
"""Keys of one role at most: what a device takes (facts.h of pycontainer-device)."""
CHAIN_LIMIT = 1024
"""Documents of one chain that are followed at most."""
_LIMIT = 16 * 1024

KeyId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class RoleEntry(Part, frozen=True, kw_only=True):
    """The keys of a role by their ids, sorted, and how many of them must sign."""

    threshold: Annotated[int, msgspec.Meta(ge=1, le=KEYS_LIMIT)]
    keyids: Annotated[list[KeyId], msgspec.Meta(min_length=1, max_length=KEYS_LIMIT)]


class Roles(Part, frozen=True, kw_only=True):
    """All roles; none may be left out."""

    root: RoleEntry
    channel: RoleEntry
    revision: RoleEntry


class Root(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A root document. `keys` has the base64 of each key's 32 bytes by its id."""

    schema_version: Literal[1]
    product: Name
    version: Positive
    issued: Time
    keys: Annotated[dict[KeyId, str], msgspec.Meta(max_length=3 * KEYS_LIMIT)]
    roles: Roles
    expires: Time | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed; raises TrustError when the document is against itself."""
        value: dict[str, Any] = msgspec.to_builtins(self)
        data = canonical_json({name: member for name, member in value.items() if member is not None})
        Root.from_bytes(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Root:
        """Return a document from its canonical bytes; raises TrustError for anything else, or one against itself."""
        root = decode(data, cls, "the root document", limit=_LIMIT, canonical=True, error=TrustError)
        check_time(root.issued, "the time of the root document")
        if root.expires is not None:
            check_time(root.expires, "the expiry of the root document")
        used: set[str] = set()
        for name in ROLES:
            entry = root._entry(name)
            if sorted(set(entry.keyids)) != entry.keyids:
                raise TrustError(f"the keys of the role {name} are not sorted, or one is listed twice")
            if entry.threshold > len(entry.keyids):
                raise TrustError(
                    f"nobody could ever sign as {name}", f"{entry.threshold} of {len(entry.keyids)} keys must"
                )
            used.update(entry.keyids)
        if used != set(root.keys):
            odd = sorted(used ^ set(root.keys))[0]
            raise TrustError("the keys and the roles of the root document differ", f"at the key {odd[:12]}")
        for keyid, text in root.keys.items():
            if PublicKey.from_base64(text).keyid != keyid:
                raise TrustError("a key of the root document is not that of its id", keyid[:12])
        return root

    def role(self, name: RoleName) -> Role:
        """Return the keys and the threshold of a role."""
        entry = self._entry(name)
        return Role(name, tuple(PublicKey.from_base64(self.keys[keyid]) for keyid in entry.keyids), entry.threshold)

    def roles_of(self, keyid: str) -> tuple[RoleName, ...]:
        """Return the roles that a key has."""
        return tuple(name for name in ROLES if keyid in self._entry(name).keyids)

    def _entry(self, name: RoleName) -> RoleEntry:
        entry: RoleEntry = getattr(self.roles, name)
        return entry


def make_root(
    product: str,
    version: int,
    issued: str,
    roles: Mapping[RoleName, tuple[Sequence[PublicKey], int]],
    expires: str | None,
) -> Root:
    """Return a document of these roles, each with its keys and threshold; raises TrustError when it cannot be."""
    keys = {key.keyid: key.base64 for members, _ in roles.values() for key in members}
    entries = {
        name: {"threshold": threshold, "keyids": sorted({key.keyid for key in members})}
        for name, (members, threshold) in roles.items()
    }
    value = {
        "schemaVersion": 1, "product": product, "version": version, "issued": issued, "keys": keys, "roles": entries,
    }  # fmt: skip
    return Root.from_bytes(canonical_json(value | ({"expires": expires} if expires else {})))


@dataclass(frozen=True)
class SignedRoot:
    """A document with its envelope; nothing is verified by that."""

    root: Root
    envelope: Envelope

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedRoot:
        """Return what the bytes of an envelope hold; raises TrustError when it is no root document."""
        envelope = Envelope.from_bytes(data)
        if envelope.payload_type != ROOT_PAYLOAD:
            raise TrustError("this is not a root document", f"its payload is {envelope.payload_type[:120]!r}")
        return cls(Root.from_bytes(envelope.payload), envelope)

    def signed_by(self, role: Role) -> list[str]:
        """Return the ids of the keys of a role that signed, or nothing when they are fewer than its threshold."""
        valid = self.envelope.valid_keys(role.keys)
        return valid if len(valid) >= role.threshold else []


@dataclass(frozen=True)
class Chain:
    """Verified documents, each following the one before; the first is the one that was trusted from outside."""

    documents: tuple[SignedRoot, ...]

    @property
    def current(self) -> Root:
        """The newest document: it says who may sign."""
        return self.documents[-1].root

    def times(self) -> list[str]:
        """Return when each document was made: signed times."""
        return [each.root.issued for each in self.documents]

    def former(self, name: RoleName) -> list[PublicKey]:
        """Return the keys that had a role once and have it no longer, sorted by id."""
        now = {key.keyid for key in self.current.role(name).keys}
        found = {key.keyid: key for each in self.documents for key in each.root.role(name).keys}
        return [found[keyid] for keyid in sorted(found) if keyid not in now]


def begin(first: SignedRoot, *, keyid: str | None = None) -> Chain:
    """Trust a first document, which came a safe way, or which the root key with this id must have signed.

    Raises TrustError when its own root keys did not sign it as it demands itself, or that key did not.
    """
    own = first.root.role("root")
    valid = first.signed_by(own)
    if not valid:
        raise _unsigned(first, own)
    if keyid is not None and keyid not in valid:
        raise TrustError(
            f"root document {first.root.version} is not signed by the root key {keyid[:12]}",
            f"its root keys are {', '.join(key.keyid[:12] for key in own.keys)}",
            "check the key's id with who gave it to you; do not go on",
        )
    return Chain((first,))


def follow(chain: Chain, documents: Iterable[SignedRoot]) -> Chain:
    """Return the chain with the documents that come after it; older ones must be those that it has.

    Raises TrustError for a gap, a fork, another product, or missing signatures of the old or the new root keys.
    """
    for each in sorted(documents, key=lambda one: one.root.version):
        chain = _followed(chain, each)
    return chain


def find_start(documents: Sequence[SignedRoot], keyid: str) -> Chain:
    """Return the chain that begins at the first document which the root key of this id signed.

    Raises TrustError when none is, or a later one does not follow.
    """
    ordered = sorted(documents, key=lambda one: one.root.version)
    problem: PyContainerError = TrustError(
        "there is no root document", f"none that the root key {keyid[:12]} signed", "ask who publishes the product"
    )
    for position, each in enumerate(ordered):
        try:
            return follow(begin(each, keyid=keyid), ordered[position + 1 :])
        except TrustError as found:
            if each.root.role("root").has(keyid):
                raise
            problem = found
    raise problem


def _followed(chain: Chain, new: SignedRoot) -> Chain:
    old = chain.documents[-1].root
    known = {each.root.version: each for each in chain.documents}
    name = f"root document {new.root.version}"
    if new.root.product != old.product:
        raise TrustError(f"{name} is of another product", f"{new.root.product!r} in place of {old.product!r}")
    if new.root.version <= old.version:
        same = known.get(new.root.version)
        if same is not None and same.envelope.payload != new.envelope.payload:
            raise TrustError(
                f"there are two of {name}",
                "they differ: somebody signed a fork",
                "ask the holders of the root keys which one is right",
            )
        return chain
    if new.root.version != old.version + 1:
        raise TrustError(
            f"{name} does not follow", f"the newest known is {old.version}", "bring the documents in between too"
        )
    for role in (old.role("root"), new.root.role("root")):
        if not new.signed_by(role):
            raise _unsigned(new, role, "" if role.keys == new.root.role("root").keys else f" of document {old.version}")
    if len(chain.documents) >= CHAIN_LIMIT:
        raise TrustError("the chain of root documents is too long", f"the limit is {CHAIN_LIMIT}")
    return Chain((*chain.documents, new))


def _unsigned(found: SignedRoot, role: Role, of: str = "") -> TrustError:
    valid = found.envelope.valid_keys(role.keys)
    return TrustError(
        f"root document {found.root.version} is not signed as it must be",
        f"{len(valid)} of the {len(role.keys)} root keys{of} signed it; {role.threshold} must",
        "let the holders of the others sign it: pycontainer trust sign FILE",
    )
