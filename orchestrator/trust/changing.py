# SPDX-License-Identifier: MIT
"""Changing the keys in a product's folder: making, adding, retiring and removing them.

Where a root document says who has which role, these files say only what is here; the roles change by another document
(`rootchange`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.canonical import write_atomically
from orchestrator.errors import ConfigError, TrustError
from orchestrator.trust import keyfiles
from orchestrator.trust.command import COMMAND, CommandSigner, render
from orchestrator.trust.keyfiles import PRIVATE, PUBLIC, keys_folder
from orchestrator.trust.keys import NamedKey, ProductKeys, load_keys
from orchestrator.trust.private import PrivateKey, passphrase
from orchestrator.trust.public import PublicKey
from orchestrator.trust.role import RoleName

_TRIAL = b"pycontainer: does this command sign for this key?"


def new_key(
    product: str,
    name: str,
    *,
    role: RoleName | None = None,
    secret: bytes | None = None,
    replaces: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> NamedKey:
    """Make another key of a product for a role (None: revisions and channels), encrypted by `secret`.

    Without `secret` the passphrase that the environment names encrypts it, if any. `replaces` is the id of the key in
    whose place it is made. One whose maker was killed before its public file was written is gone on with. Raises
    ConfigError when the name is taken.
    """
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        keyfiles.refuse_name(product, folder, name, unfinished=True)
        path, secret = folder / (name + PRIVATE), secret or passphrase(environment)
        if path.exists():
            private = PrivateKey.load(path, secret)
        else:
            private = PrivateKey.generate()
            private.save(path, secret)
        keyfiles.write_public(product, folder, name, private.public, role=role, replaces=replaces)
    return named(load_keys(product, environment=environment), name)


def add_public_key(
    product: str,
    name: str,
    public: PublicKey,
    *,
    role: RoleName | None = None,
    command: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> NamedKey:
    """Take in a public key whose private part is elsewhere, or which `command` signs for.

    The command is tried first. Raises ConfigError when the name is taken, TrustError when the key is here already or
    the command does not sign for it.
    """
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        keyfiles.refuse_name(product, folder, name)
        for other in keyfiles.names(folder, PUBLIC):
            if keyfiles.load_public(product, folder, other)[0] == public:
                raise TrustError(f"this key is here already, as {other!r}", f"key {public.keyid[:12]} in {folder}")
        if command:
            CommandSigner(public, command).sign(_TRIAL)
            write_atomically(folder / (name + COMMAND), render(command), 0o600)
        keyfiles.write_public(product, folder, name, public, role=role)
    return named(load_keys(product, environment=environment), name)


def pin_keys(
    product: str, keys: Mapping[str, PublicKey], threshold: int, *, environment: Mapping[str, str] = os.environ
) -> None:
    """Take in all public keys of a product that has none here, by their names, and how many of them must sign.

    Raises TrustError when it has some. Killed in between it is refused for too few keys, not believed with too few.
    """
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        if there := keyfiles.names(folder, PUBLIC):
            raise TrustError(f"product {product!r} has keys already", f"{', '.join(there[:8])} in {folder}")
        if threshold > 1:
            keyfiles.write_threshold(folder, threshold)
        for name, key in keys.items():
            keyfiles.refuse_name(product, folder, name)
            keyfiles.write_public(product, folder, name, key)
    load_keys(product, environment=environment)


def named(keys: ProductKeys, name: str) -> NamedKey:
    """Return a key by its name, or by the beginning (4 digits or more) of its id; raises ConfigError for another."""
    found = [key for key in keys.keys if key.name == name]
    if not found and len(name) >= 4:
        found = [key for key in keys.keys if key.public.keyid.startswith(name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(key.name for key in keys.keys[:8])
    raise ConfigError(
        f"product {keys.product!r} has no key {name!r}" if not found else f"{name!r} may be several keys",
        f"its keys are {there}",
        "'pycontainer key' lists them with their ids",
    )


def retire(product: str, name: str, *, environment: Mapping[str, str] = os.environ) -> None:
    """Take a key out of the trusted ones; what it signs along still serves devices that know no other."""
    _rewrite(product, name, retired=True, environment=environment)


def set_role(product: str, name: str, role: RoleName, *, environment: Mapping[str, str] = os.environ) -> None:
    """Say what a key is meant for."""
    _rewrite(product, name, role=role, environment=environment)


def _rewrite(
    product: str,
    name: str,
    *,
    environment: Mapping[str, str],
    role: RoleName | None = None,
    retired: bool = False,
) -> None:
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        public, file = keyfiles.load_public(product, folder, name)
        keyfiles.write_public(
            product,
            folder,
            name,
            public,
            role=role or file.role,
            retired=retired or (file.retired and role is None),
            replaces=file.replaces,
        )


def remove_key(product: str, name: str, *, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Remove a key's files, the private part too, and return them; it cannot be had back.

    Raises TrustError for a key that has a role in the root document, or whose signature the threshold needs.
    """
    keys = load_keys(product, environment=environment)
    key = named(keys, name)
    if keys.chain is not None and key.roles:
        raise TrustError(
            f"key {key.name!r} has the role {key.roles[0]}",
            f"root document {keys.chain.current.version} says so",
            "take it out of the roles first: pycontainer key rm does, when the root keys sign",
        )
    rest = [each for each in keys.keys if each.name != key.name and "revision" in each.roles]
    if keys.chain is None and "revision" in key.roles and len(rest) < keys.threshold:
        raise TrustError(
            f"key {key.name!r} cannot be removed",
            f"{keys.threshold} must sign and {len(rest)} would be left",
            "make another first (pycontainer key new NAME), or rotate it (pycontainer key rotate NAME)",
        )
    removed = []
    with keyfiles.locked(keys.folder):
        for suffix in (PRIVATE, COMMAND, PUBLIC):  # the public part last: a kill in between leaves what can be listed
            path = keys.folder / (key.name + suffix)
            if path.exists():
                path.unlink()
                removed.append(path)
    return removed


def set_threshold(product: str, threshold: int, *, environment: Mapping[str, str] = os.environ) -> None:
    """Say how many of the product's keys must sign; raises ConfigError when there are fewer keys."""
    keys = load_keys(product, environment=environment)
    count = len(keys.public_keys())
    if not 1 <= threshold <= count:
        raise ConfigError(f"the threshold cannot be {threshold}", f"product {product!r} has {count} keys")
    with keyfiles.locked(keys.folder):
        keyfiles.write_threshold(keys.folder, threshold)


def change_passphrase(
    product: str, name: str, secret: bytes | None, *, environment: Mapping[str, str] = os.environ
) -> Path:
    """Encrypt a private key's file by another passphrase (None: not at all) and return its path."""
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        path = folder / (name + PRIVATE)
        if not path.exists():
            raise ConfigError(f"there is no file with the private key {name!r}", f"in {folder}")
        PrivateKey.load(path, passphrase(environment)).replace(path, secret)
    return path
