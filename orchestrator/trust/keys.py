# SPDX-License-Identifier: MIT
"""The keys of a product on the build machine: made on first use, private, and never near BitBake.

They lie in `$PYCONTAINER_KEYS/<product>/`, or `${XDG_DATA_HOME:-~/.local/share}/pycontainer/keys/<product>/` (mode
0700). Who has which role is said by the newest root document there; without one, every key that was made for no other
role may sign revisions and channels.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import TrustError
from orchestrator.trust import keyfiles
from orchestrator.trust.command import COMMAND
from orchestrator.trust.keyfiles import PRIVATE, PUBLIC, keys_folder
from orchestrator.trust.private import PrivateKey, passphrase
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.role import ROLES, Role, RoleName
from orchestrator.trust.root import Chain
from orchestrator.trust.rootfiles import load_chain

FIRST = "signing"
"""The name of the key that the first use makes."""


@dataclass(frozen=True)
class NamedKey:
    """A key: its name in the folder, its public part, whether what signs with it is here, and the roles it has.

    `meant` is the role that it was made for; `retired` says that it has none any more and signs along for those who
    know only it.
    """

    name: str
    public: PublicKey
    private: bool
    roles: tuple[RoleName, ...] = ("channel", "revision")
    meant: RoleName | None = None
    retired: bool = False


@dataclass(frozen=True)
class ProductKeys:
    """The keys of a product, how many must sign a revision, and the root documents when there are any."""

    product: str
    folder: Path
    keys: tuple[NamedKey, ...]
    threshold: int
    chain: Chain | None = None

    def role(self, name: RoleName) -> Role:
        """Return who has a role. Without a root document nobody has that of root: raises TrustError."""
        if self.chain is not None:
            return self.chain.current.role(name)
        if name == "root":
            raise TrustError(f"product {self.product!r} has no root document", "", "make one: pycontainer trust init")
        found = sorted((key.public for key in self.keys if name in key.roles), key=lambda key: key.keyid)
        return Role(name, tuple(found), self.threshold if name == "revision" else min(self.threshold, len(found)))

    def public_keys(self) -> list[PublicKey]:
        """Return the keys that may sign revisions, sorted by id."""
        return list(self.role("revision").keys)

    def device_keys(self) -> list[PublicKey]:
        """Return the keys that some device may ask for: those of now, and those that were replaced."""
        found = {key.keyid: key for key in [*self.public_keys(), *self._former("revision")]}
        return [found[keyid] for keyid in sorted(found)]

    def facts_keys(self) -> list[tuple[str, str]]:
        """Return (keyid, base64) of each key, as `orchestrator.revision.product_facts` takes them."""
        return [(key.keyid, key.base64) for key in self.public_keys()]

    def times(self) -> list[str]:
        """Return the signed times that the root documents tell."""
        return self.chain.times() if self.chain else []

    def signers(self, role: RoleName = "revision", *, environment: Mapping[str, str] = os.environ) -> list[Signer]:
        """Return what can sign here for a role, by name; keys that had the role once sign along.

        Raises TrustError when no key that has it now is here, or one is not safe.
        """
        wanted = self.role(role)
        former = {key.keyid for key in self._former(role)}
        here = [key for key in self.keys if key.private]
        found = [key for key in here if wanted.has(key.public.keyid)]
        if not found:
            raise TrustError(
                f"no private key of product {self.product!r} is here",
                f"{self.folder} holds {'none' if here else 'public keys only'} for the role {role}",
                "do it where the private key is, or restore it here from a copy",
            )
        along = [key for key in here if key.public.keyid in former]
        return [keyfiles.load_signer(self.folder, key.name, key.public, environment) for key in [*found, *along]]

    def _former(self, role: RoleName) -> list[PublicKey]:
        retired = [key.public for key in self.keys if key.retired and key.meant in (None, role)]
        found = {key.keyid: key for key in [*retired, *(self.chain.former(role) if self.chain else [])]}
        return [key for keyid, key in sorted(found.items()) if not self.role(role).has(keyid)]


def product_keys(product: str, *, environment: Mapping[str, str] = os.environ) -> ProductKeys:
    """Return a product's keys, making the first one when there is none yet.

    Two commands that come first at the same time get the same key. Raises TrustError when the folder or a file is
    not safe, of another product, or not what it should be.
    """
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        keyfiles.complete(product, folder, FIRST, environment)
        if load_chain(folder, product) is None and not _any_for_revisions(product, folder):
            PrivateKey.generate().save(folder / (FIRST + PRIVATE), passphrase(environment))
            keyfiles.complete(product, folder, FIRST, environment)
    return load_keys(product, environment=environment)


def _any_for_revisions(product: str, folder: Path) -> bool:
    files = [keyfiles.load_public(product, folder, name)[1] for name in keyfiles.names(folder, PUBLIC)]
    return any(file.role in (None, "revision") for file in files)


def load_keys(product: str, *, environment: Mapping[str, str] = os.environ) -> ProductKeys:
    """Return a product's keys; changes nothing. Raises TrustError when there is none, or one is not acceptable."""
    folder = keys_folder(product, environment)
    keyfiles.check_folder(folder)
    chain = load_chain(folder, product)
    here = {*keyfiles.names(folder, PRIVATE), *keyfiles.names(folder, COMMAND)}
    files = {name: keyfiles.load_public(product, folder, name) for name in keyfiles.names(folder, PUBLIC)}
    if not files and chain is None:
        raise TrustError(
            f"product {product!r} has no keys", f"none in {folder}", "'pycontainer key' makes the first one"
        )
    ids = [public.keyid for public, _ in files.values()]
    if len(set(ids)) != len(ids):
        raise TrustError("one key is listed twice", f"two public files in {folder} hold one key", "remove one of them")
    own_channel = any(file.role == "channel" and not file.retired for _, file in files.values())
    keys = []
    for name, (public, file) in files.items():
        roles = chain.current.roles_of(public.keyid) if chain else _roles(file, own_channel)
        keys.append(NamedKey(name, public, name in here, roles, file.role, file.retired))
    if chain is not None:
        keys += _elsewhere(chain, set(ids))
        return ProductKeys(product, folder, tuple(keys), chain.current.roles.revision.threshold, chain)
    threshold = keyfiles.read_threshold(folder)
    count = sum("revision" in key.roles for key in keys)
    if threshold > max(count, 1):
        raise TrustError(
            "the threshold can never be met",
            f"{folder / 'trust.json'} demands {threshold} signatures of {count} keys",
            f"add public keys, or lower the threshold; after an interrupted clone: remove {folder}, clone again",
        )
    return ProductKeys(product, folder, tuple(keys), threshold)


def _roles(file: keyfiles.PublicFile, own_channel: bool) -> tuple[RoleName, ...]:
    """Return what a key may do where no root document says it."""
    if file.retired or file.role == "root":
        return ()
    if file.role == "channel":
        return ("channel",)
    return ("revision",) if own_channel else ("channel", "revision")


def _elsewhere(chain: Chain, known: set[str]) -> list[NamedKey]:
    """Return the keys of the root document that have no file here, named by the beginning of their ids."""
    found: dict[str, PublicKey] = {key.keyid: key for name in ROLES for key in chain.current.role(name).keys}
    return [
        NamedKey(keyid[:12], key, private=False, roles=chain.current.roles_of(keyid))
        for keyid, key in sorted(found.items())
        if keyid not in known
    ]
