# SPDX-License-Identifier: MIT
"""Whose signatures count: the product's keys here, or those that a first contact shows and one decides to believe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.errors import ConfigError, TrustError
from orchestrator.oci.layout import Layout
from orchestrator.revision import Revision
from orchestrator.revision.facts import read_facts
from orchestrator.trust import ProductKeys, PublicKey, keys_folder, load_keys
from orchestrator.trust.changing import pin_keys
from orchestrator.trust.role import Role

_SHORTEST = 8
How = Literal["known", "given", "first contact"]


@dataclass(frozen=True)
class Trusted:
    """The keys of a product's roles, and how one came to trust them: by its root documents, or as they are."""

    product: str
    channel: Role
    revision: Role
    how: How
    by_roots: bool = False
    times: tuple[str, ...] = ()
    former: tuple[PublicKey, ...] = ()

    @property
    def for_sources(self) -> list[PublicKey]:
        """The keys that may have signed a revision's sources: those of now, and those that had the role before."""
        return [*self.revision.keys, *self.former]

    @property
    def keyids(self) -> list[str]:
        """The ids of all keys, sorted."""
        return sorted({key.keyid for role in (self.channel, self.revision) for key in role.keys})


def trusted_here(keys: ProductKeys) -> Trusted:
    """Return what the product's keys on this machine mean."""
    former = tuple(key for key in keys.device_keys() if not keys.role("revision").has(key.keyid))
    return Trusted(
        product=keys.product,
        channel=keys.role("channel"),
        revision=keys.role("revision"),
        how="known",
        by_roots=keys.chain is not None,
        times=tuple(keys.times()),
        former=former,
    )


def known_keys(product: str) -> Trusted | None:
    """Return the keys of a product that this machine knows already, or None; raises TrustError for damaged ones."""
    folder = keys_folder(product)
    if not folder.is_dir() or not any(folder.glob("*.pub.json")):
        return None
    return trusted_here(load_keys(product))


def given_keys(product: str, keys: Sequence[PublicKey]) -> Trusted:
    """Return the keys that a user named: any one of them is enough."""
    return _same(product, keys, 1, "given")


def first_contact(layout: Layout, revision: Revision) -> Trusted:
    """Return the keys that a revision's own host image trusts; by themselves they prove nothing.

    Its devices refuse what these keys did not sign: so a revision that they did sign is at least one with itself.
    Raises TrustError when the host image names none.
    """
    (host,) = (layer for layer in revision.config.layers if layer.kind == "host")
    facts = read_facts(layout, host.blobs["initramfs"])
    if facts.product != revision.config.product:
        raise TrustError("the host image is of another product", f"{facts.product}, not {revision.config.product}")
    keys = [PublicKey.from_base64(each.public) for each in facts.keys]
    if [key.keyid for key in keys] != [each.keyid for each in facts.keys]:
        raise TrustError("the host image names keys that are not those of their ids", revision.short)
    return _same(facts.product, keys, facts.threshold, "first contact")


def demand(trusted: Trusted, wanted: Sequence[str]) -> None:
    """Raise TrustError unless each of `wanted`, ids or their beginnings, is among the keys."""
    for word in wanted:
        plain = plain_id(word)
        if not any(keyid.startswith(plain) for keyid in trusted.keyids):
            raise TrustError(
                f"the key {word} is not among those of {trusted.product}",
                f"they are {', '.join(keyid[:16] for keyid in trusted.keyids)}",
                "do not use it; ask whoever gave you the id, over another way",
            )


def plain_id(word: str) -> str:
    """Return the digits of a key id, or of its beginning, that a user gave; raises ConfigError for too few."""
    plain = word.lower().removeprefix("sha256:")
    if len(plain) < _SHORTEST or set(plain) - set("0123456789abcdef"):
        raise ConfigError(f"not the id of a key: {word[:80]!r}", "", f"give {_SHORTEST} or more of its hex digits")
    return plain


def pin(trusted: Trusted, name: str) -> list[str]:
    """Keep the keys as the product's on this machine, from now on the only ones that count; returns their names."""
    names = {f"{name}-{key.keyid[:8]}": key for key in trusted.revision.keys}
    pin_keys(trusted.product, names, trusted.revision.threshold)
    return list(names)


def _same(product: str, keys: Sequence[PublicKey], threshold: int, how: How) -> Trusted:
    ordered = tuple(sorted(keys, key=lambda key: key.keyid))
    if not ordered or not 1 <= threshold <= len(ordered):
        raise TrustError(f"the keys of {product} can never be enough", f"{threshold} of {len(ordered)} must sign")
    return Trusted(product, Role("channel", ordered, threshold), Role("revision", ordered, threshold), how)
