# SPDX-License-Identifier: MIT
"""Replacing and dropping keys, with a root document or without one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import ConfigError
from orchestrator.trust.changing import named, new_key, remove_key, retire
from orchestrator.trust.keyfiles import PUBLIC, load_public
from orchestrator.trust.keys import NamedKey, ProductKeys, load_keys
from orchestrator.trust.rootchange import Proposal, propose, take_away


def rotate(
    product: str,
    name: str,
    *,
    to: str | None = None,
    now: str,
    secret: bytes | None = None,
    environment: Mapping[str, str] = os.environ,
) -> tuple[NamedKey, Proposal | None]:
    """Put a new key (or `to`, which is here already) in the place of one, in all its roles.

    The old key's private part stays, and signs along: those who know only the old key go on. With root documents the
    change is the next one of them, which the proposal tells; without, it holds at once.
    """
    keys = load_keys(product, environment=environment)
    old = named(keys, name)
    if not old.roles:
        raise ConfigError(f"key {old.name!r} has no role", "there is nothing to put another key in the place of")
    if to is None:
        fresh = _begun(keys, old) or new_key(
            product, _following(old.name, {key.name for key in keys.keys}), role=old.meant, secret=secret,
            replaces=old.public.keyid, environment=environment,
        )  # fmt: skip
    else:
        fresh = named(keys, to)
        if fresh.public == old.public:
            raise ConfigError("a key cannot take its own place", old.name)
    if keys.chain is not None:
        return fresh, propose(product, take_away(old.public, fresh.public), now=now, environment=environment)
    retire(product, old.name, environment=environment)
    return named(load_keys(product, environment=environment), fresh.name), None


def drop(
    product: str, name: str, *, now: str, environment: Mapping[str, str] = os.environ
) -> tuple[Proposal | None, list[Path]]:
    """Take a key's roles away, or remove its files when it has none (any more).

    With root documents a key that has a role is taken out by the next one and its files stay, for it signs along;
    dropped again it is removed.
    """
    keys = load_keys(product, environment=environment)
    key = named(keys, name)
    if keys.chain is not None and key.roles:
        return propose(product, take_away(key.public), now=now, environment=environment), []
    return None, remove_key(product, key.name, environment=environment)


def _begun(keys: ProductKeys, old: NamedKey) -> NamedKey | None:
    """Return the key that a rotation which did not come to its end made in the place of `old`."""
    for key in keys.keys:
        if not key.retired and (keys.folder / (key.name + PUBLIC)).exists():
            _, file = load_public(keys.product, keys.folder, key.name)
            if file.replaces == old.public.keyid:
                return key
    return None


def _following(name: str, taken: set[str]) -> str:
    """Return the next name in a row: signing, signing-2, signing-3."""
    stem = re.sub(r"-[0-9]+\Z", "", name)
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
