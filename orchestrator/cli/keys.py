# SPDX-License-Identifier: MIT
"""`pycontainer key`: a product's keys."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from orchestrator.canonical import read_limited, write_atomically
from orchestrator.cli import screens
from orchestrator.cli.result import Result
from orchestrator.cli.trust_screens import proposal_data, proposal_text
from orchestrator.errors import ConfigError, TrustError
from orchestrator.product.load import find_product_file, load_product
from orchestrator.trust import (
    NamedKey,
    ProductKeys,
    PublicKey,
    add_public_key,
    drop,
    load_keys,
    new_key,
    product_keys,
    propose,
    rotate,
    set_threshold,
)
from orchestrator.trust.changing import change_passphrase, named
from orchestrator.trust.keyfiles import has_keys
from orchestrator.trust.private import PASSPHRASE, PASSPHRASE_FILE
from orchestrator.trust.rootchange import threshold_of
from orchestrator.trust.times import now

_FILE_LIMIT = 64 * 1024


def product_of(options: Namespace) -> str:
    """Return the name of the product whose keys are meant: of the product file, or as it was given."""
    return options.product_name or load_product(find_product_file(options.product)).product


def ls(options: Namespace) -> Result:
    """`pycontainer key ls`."""
    product = product_of(options)
    # An offline machine has its holder's key alone: only where there is nothing at all the first use makes one.
    keys = load_keys(product) if has_keys(product) else product_keys(product)
    rows = [
        (each.name, each.public.keyid, ", ".join(each.roles) or ("retired" if each.retired else "-"),
         "here" if each.private else "elsewhere")
        for each in keys.keys
    ]  # fmt: skip
    columns = [("name", "left"), ("key id", "left"), ("roles", "left"), ("private part", "left")]
    revision = keys.role("revision")
    foot = f"\n{revision.threshold} of {len(revision.keys)} must sign a revision; kept in {keys.folder}"
    if keys.chain is not None:
        foot += f"\nroles by root document {keys.chain.current.version}: pycontainer trust"
    data = {
        "folder": str(keys.folder),
        "threshold": keys.threshold,
        "root": keys.chain.current.version if keys.chain else None,
        "keys": [key_data(each) for each in keys.keys],
    }
    return Result(screens.render(screens.table(columns, rows), foot), data)


def key_data(key: NamedKey) -> dict[str, Any]:
    """Return what there is to say of a key, for machines."""
    return {
        "name": key.name, "keyid": key.public.keyid, "public": key.public.base64, "private": key.private,
        "roles": list(key.roles), "retired": key.retired,
    }  # fmt: skip


def new(options: Namespace) -> Result:
    """`pycontainer key new`."""
    product = product_of(options)
    made = new_key(product, options.name, role=options.role, secret=new_secret(options, options.name))
    return _made(load_keys(product), made, f"key {made.name} {made.public.keyid} is made")


def _made(keys: ProductKeys, made: NamedKey, text: str) -> Result:
    if keys.chain is not None and not made.roles:
        role = made.meant or "revision"
        text += f"\nit has no role yet: pycontainer trust assign {made.name} --role {role}"
    return Result(text, key_data(made))


def export(options: Namespace) -> Result:
    """`pycontainer key export`."""
    product = product_of(options)
    key = named(load_keys(product), options.name)
    forms = {
        "pem": key.public.pem.decode(),
        "ssh": f"{key.public.ssh} {product}-{key.name}\n",
        "json": json.dumps({"keyid": key.public.keyid, "public": key.public.base64}, sort_keys=True) + "\n",
    }
    text = forms[options.form]
    if options.output is None:
        return Result(text.rstrip("\n"), key_data(key) | {"text": text})
    write_atomically(options.output, text.encode())
    return Result(f"{options.output}: public part of {key.name}", key_data(key) | {"file": str(options.output)})


def take(options: Namespace) -> Result:
    """`pycontainer key import`."""
    product = product_of(options)
    data = read_limited(options.file, _FILE_LIMIT)
    if b"PRIVATE KEY" in data:
        raise TrustError(
            f"{options.file} holds a private key", "private parts are not carried about",
            "export the public part where it is: pycontainer key export NAME",
        )  # fmt: skip
    command = shlex.split(options.program) if options.program else []
    if command and "/" in command[0]:
        command[0] = str(Path(command[0]).absolute())  # it is run from anywhere
    made = add_public_key(product, options.name, PublicKey.from_any(data), role=options.role, command=command)
    return _made(load_keys(product), made, f"key {made.name} {made.public.keyid} is taken in")


def rotate_key(options: Namespace) -> Result:
    """`pycontainer key rotate`."""
    product = product_of(options)
    secret = None if options.to else new_secret(options, options.name)
    fresh, proposal = rotate(product, options.name, to=options.to, now=now(), secret=secret)
    text = f"key {fresh.name} {fresh.public.keyid} takes the place of {options.name}, which signs along"
    if proposal is not None:
        text += "\n" + proposal_text(proposal)
    else:
        text += "\nbuild and roll out a revision: its host image brings the new key to the devices"
    return Result(text, key_data(fresh) | {"proposal": proposal_data(proposal)})


def rm(options: Namespace) -> Result:
    """`pycontainer key rm`."""
    product = product_of(options)
    keys = load_keys(product)
    key = named(keys, options.name)
    if key.private and not (keys.chain is not None and key.roles) and not (options.yes or _agreed(key)):
        raise ConfigError(f"key {key.name!r} was not removed", "it was not confirmed", "add --yes when you are sure")
    proposal, removed = drop(product, options.name, now=now())
    text = proposal_text(proposal) if proposal else f"key {key.name} is removed: {', '.join(p.name for p in removed)}"
    return Result(text, {"removed": [str(path) for path in removed], "proposal": proposal_data(proposal)})


def threshold(options: Namespace) -> Result:
    """`pycontainer key threshold`."""
    product = product_of(options)
    keys = load_keys(product)
    if keys.chain is None:
        if options.role != "revision":
            raise ConfigError(
                f"only a root document gives the role {options.role} a threshold", "there is none",
                "make one: pycontainer trust init",
            )  # fmt: skip
        set_threshold(product, options.count)
        text = f"{options.count} of {len(keys.public_keys())} keys must sign a revision from now on"
        return Result(text, {"role": "revision", "threshold": options.count, "proposal": None})
    proposal = propose(product, threshold_of(options.role, options.count), now=now())
    data = {"role": options.role, "threshold": options.count, "proposal": proposal_data(proposal)}
    return Result(proposal_text(proposal), data)


def passphrase(options: Namespace) -> Result:
    """`pycontainer key passphrase`."""
    product = product_of(options)
    key = named(load_keys(product), options.name)
    secret = None if options.remove else _typed(key.name)
    if secret is None and not options.remove:
        raise ConfigError("no passphrase was given", "there is no terminal, or nothing was typed", "see --remove")
    path = change_passphrase(product, key.name, secret)
    return Result(f"{path}: {'in clear' if secret is None else 'encrypted'}", {"encrypted": secret is not None})


def new_secret(options: Namespace, name: str) -> bytes | None:
    """Ask for the passphrase of a new key where somebody can answer and none is given; empty means none."""
    given = os.environ.get(PASSPHRASE) or os.environ.get(PASSPHRASE_FILE)
    return None if options.no_passphrase or given or not sys.stdin.isatty() else _typed(name)


def _typed(name: str) -> bytes | None:
    if not sys.stdin.isatty():
        return os.environ.get(PASSPHRASE + "_NEW", "").encode() or None
    first = getpass.getpass(f"new passphrase of {name} (empty for none): ")
    if first != getpass.getpass("the same again: "):
        raise ConfigError("the two passphrases differ", "", "try again")
    return first.encode() or None


def _agreed(key: NamedKey) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"the private part of {key.name} will be gone for ever; type its name to go on: ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip() == key.name
