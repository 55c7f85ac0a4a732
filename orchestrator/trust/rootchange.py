# SPDX-License-Identifier: MIT
"""Changing who has which role: the next root document, signed by the root keys that are here, then by the others.

Until enough have signed it lies in the folder of keys as `root/pending.json`; its holders carry it to each other, in
any order. It is in force from the moment when the last signature that it needs came in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, TrustError
from orchestrator.trust import keyfiles
from orchestrator.trust.changing import new_key
from orchestrator.trust.dsse import Envelope, merge, sign
from orchestrator.trust.keyfiles import keys_folder
from orchestrator.trust.keys import ProductKeys, load_keys
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.role import ROLES, RoleName
from orchestrator.trust.root import ROOT_PAYLOAD, Chain, Root, SignedRoot, begin, find_start, follow, make_root
from orchestrator.trust.rootfiles import load_chain, load_pending, save_chain, save_pending

Table = dict[RoleName, tuple[list[PublicKey], int]]
"""The keys and the threshold of each role."""
Edit = Callable[[Table], None]


@dataclass(frozen=True)
class Proposal:
    """A root document that is in force (`path` None), or waits at `path` for signatures.

    `lacking` tells for whom: how many signatures of how many keys are still missing.
    """

    document: SignedRoot
    path: Path | None
    lacking: tuple[str, ...] = ()

    @property
    def in_force(self) -> bool:
        """True when it says who has which role from now on."""
        return self.path is None


def propose(
    product: str, edit: Edit, *, now: str, expires: str | None = None, environment: Mapping[str, str] = os.environ
) -> Proposal:
    """Make the next root document by an edit of the newest one, or of the one that waits, and sign it as far as here.

    Without any root document the edit begins with the keys of the folder by what they were made for. An edit of what
    waits drops the signatures that it has: they are for something else. Raises TrustError for roles that cannot be.
    """
    keys = load_keys(product, environment=environment)
    with keyfiles.locked(keys.folder):
        pending = load_pending(keys.folder)
        base = pending.root if pending and _next(pending, keys.chain) else keys.chain.current if keys.chain else None
        table = _table(base) if base else _meant(keys)
        edit(table)
        version = keys.chain.current.version + 1 if keys.chain else 1
        issued = max([now, *keys.times()])
        root = make_root(product, version, issued, table, expires)
        envelope = sign(root.to_bytes(), ROOT_PAYLOAD, _signers(keys, root, environment))
        return _settle(keys.folder, product, SignedRoot(root, envelope))


def sign_root(data: bytes, *, environment: Mapping[str, str] = os.environ) -> SignedRoot:
    """Return a root document with the signatures of the root keys that are here added.

    The keys are looked for in the folder of the product that the document names. Raises TrustError when none is here
    that the document, or the one before it, wants to sign.
    """
    given = SignedRoot.from_bytes(data)
    keys = load_keys(given.root.product, environment=environment)
    signers = _signers(keys, given.root, environment)
    if not signers:
        raise TrustError(
            f"no key here may sign root document {given.root.version} of {given.root.product!r}",
            "its root keys are " + ", ".join(key.keyid[:12] for key in given.root.role("root").keys),
            "sign where one of them is",
        )
    return SignedRoot(given.root, _merged(given.envelope, sign(given.envelope.payload, ROOT_PAYLOAD, signers)))


def take_roots(
    product: str,
    documents: Sequence[SignedRoot],
    *,
    keyid: str | None = None,
    first: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Proposal | None:
    """Take in root documents that came from elsewhere, and return how the newest of them stands.

    Where documents are known already these must follow them. Otherwise `keyid` pins a root key that must have signed,
    or `first` says that the lowest one is trusted as it is. What lacks signatures waits with those that it has.
    Returns None when nothing is new. Raises TrustError for what does not follow, and ConfigError when nothing pins it.
    """
    folder = keys_folder(product, environment)
    with keyfiles.locked(folder):
        chain = before = load_chain(folder, product)
        proposal = None
        for each in sorted(documents, key=lambda one: one.root.version):
            if each.root.product != product:
                raise TrustError("a root document is of another product", f"{each.root.product!r}, not {product!r}")
            pending = load_pending(folder)
            if pending is not None and pending.envelope.payload == each.envelope.payload:
                proposal = _settle(folder, product, SignedRoot(each.root, _merged(each.envelope, pending.envelope)))
                chain = before = load_chain(folder, product)
            elif chain is not None:
                following = follow(chain, [each])
                proposal = Proposal(each, None) if following is not chain else proposal
                chain = following
            elif keyid is not None:
                chain = find_start(documents, keyid)
                proposal = Proposal(chain.documents[-1], None)
            elif first:
                chain = begin(each)
                proposal = Proposal(each, None)
            else:
                raise ConfigError(
                    f"nothing is known yet of who may sign for {product!r}",
                    "a root document alone proves nothing: anybody can make one",
                    "give the id of a root key that you got a safe way: --root-key ID",
                )
        if chain is not None and chain is not before:
            save_chain(folder, chain, before)
            waiting = load_pending(folder)
            if waiting is not None and not _next(waiting, chain):
                save_pending(folder, None)
    return proposal


def begin_with(
    product: str,
    threshold: int,
    *,
    now: str,
    expires: str | None = None,
    secret: Callable[[str], bytes | None] = lambda name: None,
    environment: Mapping[str, str] = os.environ,
) -> Proposal:
    """Make the first root document out of the keys that are here, by what they were made for.

    Where none was made for the role of root, or for channels, one is made; `secret` tells by its name the passphrase
    that encrypts it (None: that of the environment, if any). Raises ConfigError when there is a root
    document already.
    """
    keys = load_keys(product, environment=environment)
    if keys.chain is not None:
        raise ConfigError(
            f"product {product!r} has root document {keys.chain.current.version} already", f"in {keys.folder}",
            "change it: pycontainer trust assign, key rotate, key rm, key threshold",
        )  # fmt: skip
    for role in ROLES[:2]:
        if not any(key.meant == role and not key.retired for key in keys.keys):
            new_key(product, role, role=role, secret=secret(role), environment=environment)
    return propose(product, threshold_of("root", threshold), now=now, expires=expires, environment=environment)


def pending_root(keys: ProductKeys) -> Proposal | None:
    """Return the document that waits for signatures, if any, and what it lacks."""
    found = load_pending(keys.folder)
    if found is None or not _next(found, keys.chain):
        return None
    return Proposal(found, keys.folder / "root" / "pending.json", tuple(_lacking(found, keys.chain)))


def give(role: RoleName, public: PublicKey) -> Edit:
    """Return the edit that gives a key a role."""

    def edit(table: Table) -> None:
        members, threshold = table[role]
        if public not in members:
            table[role] = ([*members, public], threshold)

    return edit


def take_away(public: PublicKey, instead: PublicKey | None = None) -> Edit:
    """Return the edit that takes a key out of all its roles, putting `instead` in its place."""

    def edit(table: Table) -> None:
        for role, (members, threshold) in table.items():
            if public in members:
                rest = [key for key in members if key != public]
                table[role] = (rest + ([instead] if instead and instead not in rest else []), threshold)

    return edit


def threshold_of(role: RoleName, threshold: int) -> Edit:
    """Return the edit that says how many of a role must sign."""

    def edit(table: Table) -> None:
        table[role] = (table[role][0], threshold)

    return edit


def _table(root: Root) -> Table:
    return {name: (list(root.role(name).keys), root.role(name).threshold) for name in ROLES}


def _meant(keys: ProductKeys) -> Table:
    table: Table = {"root": ([key.public for key in keys.keys if key.meant == "root" and not key.retired], 1)}
    for name in ("channel", "revision"):
        role = keys.role("channel" if name == "channel" else "revision")
        table["channel" if name == "channel" else "revision"] = (list(role.keys), max(role.threshold, 1))
    return table


def _signers(keys: ProductKeys, root: Root, environment: Mapping[str, str]) -> list[Signer]:
    wanted = {key.keyid for key in root.role("root").keys}
    if keys.chain is not None:
        wanted |= {key.keyid for key in keys.chain.current.role("root").keys}
    here = [key for key in keys.keys if key.private and key.public.keyid in wanted]
    return [keyfiles.load_signer(keys.folder, key.name, key.public, environment) for key in here]


def _settle(folder: Path, product: str, document: SignedRoot) -> Proposal:
    """Put a document in force when enough have signed it, else let it wait; the caller holds the lock."""
    chain = load_chain(folder, product)
    try:
        after = begin(document) if chain is None else follow(chain, [document])
    except TrustError:
        lacking = tuple(_lacking(document, chain))
        if not lacking:
            raise
        return Proposal(document, save_pending(folder, document), lacking)
    save_chain(folder, after, chain)
    save_pending(folder, None)
    return Proposal(document, None)


def _lacking(document: SignedRoot, chain: Chain | None) -> list[str]:
    found = []
    asked = [(f"document {document.root.version}", document.root.role("root"))]
    if chain is not None:
        asked.insert(0, (f"document {chain.current.version}", chain.current.role("root")))
    for name, role in asked:
        signed = document.envelope.valid_keys(role.keys)
        if len(signed) < role.threshold:
            others = ", ".join(key.keyid[:12] for key in role.keys if key.keyid not in signed)
            found.append(f"{role.threshold - len(signed)} more of the root keys of {name}: {others}")
    return found


def _next(pending: SignedRoot, chain: Chain | None) -> bool:
    return pending.root.version == (chain.current.version + 1 if chain else 1)


def _merged(one: Envelope, other: Envelope) -> Envelope:
    """Return one envelope with each key's signature once: some signers give another each time."""
    known = {each.keyid for each in one.signatures}
    rest = tuple(each for each in other.signatures if each.keyid not in known)
    return merge([one, Envelope(other.payload, other.payload_type, rest)])
