# SPDX-License-Identifier: MIT
"""`pycontainer trust`: the root documents of a product."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from orchestrator.canonical import read_limited, write_atomically
from orchestrator.cli import screens
from orchestrator.cli.keys import new_secret, product_of
from orchestrator.cli.result import Result
from orchestrator.cli.trust_screens import proposal_data, proposal_text
from orchestrator.errors import ConfigError
from orchestrator.trust import (
    ROLES,
    Proposal,
    SignedRoot,
    load_keys,
    product_keys,
    propose,
    sign_root,
    take_roots,
)
from orchestrator.trust.changing import named
from orchestrator.trust.dsse import ENVELOPE_LIMIT
from orchestrator.trust.rootchange import begin_with, give, pending_root
from orchestrator.trust.times import later, now

_DAY = 86_400


def show(options: Namespace) -> Result:
    """`pycontainer trust show`."""
    keys = load_keys(product_of(options))
    waiting = pending_root(keys)
    if keys.chain is None:
        text = f"product {keys.product} has no root document: the keys in {keys.folder} are trusted as they are"
        text += "\nbegin with roles: pycontainer trust init"
        return Result(
            text if waiting is None else proposal_text(waiting), {"root": None, "pending": proposal_data(waiting)}
        )
    known = {key.public.keyid: key for key in keys.keys}
    rows = []
    for name in ROLES:
        role = keys.role(name)
        for key in role.keys:
            here = "here" if known[key.keyid].private else "elsewhere"
            rows.append((name, f"{role.threshold} of {len(role.keys)}", known[key.keyid].name, key.keyid, here))
    columns = [("role", "left"), ("must sign", "left"), ("key", "left"), ("key id", "left"), ("private part", "left")]
    lines = [
        f"root document {each.root.version} of {each.root.issued}"
        + (f", until {each.root.expires}" if each.root.expires else "")
        for each in keys.chain.documents
    ]
    foot = "\n" + "\n".join(lines) + (f"\n{proposal_text(waiting)}" if waiting else "")
    current = keys.chain.current
    roles = {
        name: {"threshold": keys.role(name).threshold, "keys": [key.keyid for key in keys.role(name).keys]}
        for name in ROLES
    }
    data: dict[str, Any] = {
        "root": current.version, "issued": current.issued, "expires": current.expires, "roles": roles,
        "pending": proposal_data(waiting),
    }  # fmt: skip
    return Result(screens.render(screens.table(columns, rows), foot), data)


def init(options: Namespace) -> Result:
    """`pycontainer trust init`."""
    product = product_of(options)
    product_keys(product)
    proposal = begin_with(
        product,
        options.threshold,
        now=now(),
        expires=_until(options.expires),
        secret=lambda name: new_secret(options, name),
    )
    text = proposal_text(proposal)
    if proposal.in_force:
        keys = load_keys(product)
        root = next(key for key in keys.keys if "root" in key.roles)
        text += (
            f"\nkeep the root key off this machine, it is needed only when roles change: {keys.folder}/{root.name}.*"
        )
        text += f"\nwhoever clones the product pins it: {root.public.keyid}"
    return Result(text, {"proposal": proposal_data(proposal)})


def assign(options: Namespace) -> Result:
    """`pycontainer trust assign`."""
    product = product_of(options)
    key = named(load_keys(product), options.name)
    return _proposed(propose(product, give(options.role, key.public), now=now()))


def renew(options: Namespace) -> Result:
    """`pycontainer trust renew`."""
    product = product_of(options)
    return _proposed(propose(product, lambda table: None, now=now(), expires=_until(options.expires)))


def sign(options: Namespace) -> Result:
    """`pycontainer trust sign`."""
    before = SignedRoot.from_bytes(read_limited(options.file, ENVELOPE_LIMIT))
    signed = sign_root(before.envelope.to_bytes())
    write_atomically(options.file, signed.envelope.to_bytes())
    had = {one.keyid for one in before.envelope.signatures}
    added = sorted({one.keyid for one in signed.envelope.signatures} - had)
    root = signed.root
    lines = [f"{options.file}: root document {root.version} of {root.product}"]
    for name in ROLES:
        role = root.role(name)
        lines.append(f"  {name}: {role.threshold} of {', '.join(key.keyid[:12] for key in role.keys)}")
    lines.append(f"signed by {', '.join(each[:12] for each in added) or 'nobody new: it had the signature already'}")
    return Result("\n".join(lines), {"file": str(options.file), "version": root.version, "added": added})


def export(options: Namespace) -> Result:
    """`pycontainer trust export`."""
    keys = load_keys(product_of(options))
    if options.pending:
        waiting = pending_root(keys)
        chosen = waiting.document if waiting else None
    else:
        documents = {each.root.version: each for each in keys.chain.documents} if keys.chain else {}
        chosen = documents.get(options.number or max(documents, default=0))
    if chosen is None:
        raise ConfigError(
            "there is no such root document", f"product {keys.product}", "'pycontainer trust' shows which there are"
        )
    write_atomically(options.output, chosen.envelope.to_bytes())
    text = f"{options.output}: root document {chosen.root.version} of {chosen.root.product}"
    return Result(text, {"file": str(options.output), "version": chosen.root.version})


def take(options: Namespace) -> Result:
    """`pycontainer trust import`."""
    documents = [SignedRoot.from_bytes(read_limited(path, ENVELOPE_LIMIT)) for path in options.files]
    product = documents[0].root.product
    proposal = take_roots(product, documents, keyid=options.root_key, first=options.first)
    if proposal is None:
        return Result(f"nothing new: the root documents of {product} are known", {"proposal": None})
    return _proposed(proposal)


def _proposed(proposal: Proposal) -> Result:
    return Result(proposal_text(proposal), {"proposal": proposal_data(proposal)})


def _until(days: int | None) -> str | None:
    return None if days is None else later(now(), days * _DAY)
