# SPDX-License-Identifier: MIT
"""The words of `pycontainer key` and `pycontainer trust`.

Nothing is imported here that takes time: what carries a command out is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import importlib
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.cli.completion import names_a_file, names_a_folder

if TYPE_CHECKING:
    from orchestrator.cli.result import Command, Result

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
ROLES = ("root", "channel", "revision")
_UNSET = argparse.SUPPRESS
"""The default of an action's words that its group has too: what was said there stays."""

_ROLES = (
    "root: may say who has which role; channel: which revision a channel stands for; revision: what devices may run"
)


def add_key(sub: Commands) -> None:
    """Add `key` and `trust` with their actions."""
    group = sub.add_parser(
        "key",
        help="make, list, rotate and hand out signing keys; the first use makes one",
        description="List a product's keys, or do something with them. Private parts never leave their folder.",
        epilog=_ROLES,
    )
    group.set_defaults(command=later("keys.ls"))
    _common(group)
    actions = group.add_subparsers(metavar="ACTION")

    ls = _action(actions, "ls", "keys.ls", "list the keys, their roles, and which can sign here")
    _product(ls)

    new = _action(actions, "new", "keys.new", "make a key; on a terminal it asks for a passphrase")
    _name(new)
    _product(new)
    _role(new, "what it is for (default: revisions, and channels as long as no key is for them alone)")
    new.add_argument("--no-passphrase", action="store_true", help="do not ask for one: keep the key in clear")

    export = _action(actions, "export", "keys.export", "write the public part of a key")
    _name(export)
    _product(export)
    export.add_argument("--form", choices=("pem", "json", "ssh"), default="pem", help="(pem, which cosign reads too)")
    names_a_file(export.add_argument("-o", "--output", type=Path, help="where to (default: standard output)"))

    take = _action(actions, "import", "keys.take", "take in a public key whose private part is elsewhere")
    _name(take)
    names_a_file(take.add_argument("file", type=Path, help="PEM, or JSON of key export, or a line ssh-ed25519 ..."))
    _product(take)
    _role(take, "what it is for")
    take.add_argument(
        "--command", dest="program", metavar="COMMAND",
        help="a program that signs with it: the message on its standard input, the signature on its output",
    )  # fmt: skip

    rotate = _action(actions, "rotate", "keys.rotate_key", "put a new key in the place of one, in all its roles")
    _name(rotate)
    _product(rotate)
    rotate.add_argument("--to", metavar="NAME", help="a key that is here already (default: a new one)")
    rotate.add_argument("--no-passphrase", action="store_true", help="do not ask for one: keep the key in clear")

    rm = _action(actions, "rm", "keys.rm", "take a key's roles away; when it has none, remove its files")
    _name(rm)
    _product(rm)
    rm.add_argument("--yes", action="store_true", help="do not ask before a private part is removed for ever")

    threshold = _action(actions, "threshold", "keys.threshold", "say how many keys of a role must sign")
    threshold.add_argument("count", type=_positive, metavar="COUNT", help="of different keys")
    _product(threshold)
    threshold.add_argument("--role", choices=ROLES, default="revision", help="(revision)")

    secret = _action(actions, "passphrase", "keys.passphrase", "encrypt a private key's file by another passphrase")
    _name(secret)
    _product(secret)
    secret.add_argument("--remove", action="store_true", help="keep the key in clear from now on")

    _add_trust(sub)


def _add_trust(sub: Commands) -> None:
    group = sub.add_parser(
        "trust",
        help="roles by root documents: show, begin, change, sign, hand over",
        description="Show the root documents, which say who has which role, or do something with them.",
        epilog=_ROLES,
    )
    group.set_defaults(command=later("trust.show"))
    _common(group)
    actions = group.add_subparsers(metavar="ACTION")

    show = _action(actions, "show", "trust.show", "show the chain of root documents, the roles, and what waits")
    _product(show)

    init = _action(actions, "init", "trust.init", "begin: the first root document, of the keys that are here")
    _product(init)
    init.add_argument("--threshold", type=_positive, default=1, help="how many root keys must sign (1)")
    _expires(init)
    init.add_argument("--no-passphrase", action="store_true", help="do not ask for one: keep new keys in clear")

    assign = _action(actions, "assign", "trust.assign", "give a key a role, by the next root document")
    _name(assign)
    _product(assign)
    assign.add_argument("--role", choices=ROLES, required=True, help="the role")

    renew = _action(actions, "renew", "trust.renew", "make the next root document with the same roles")
    _product(renew)
    _expires(renew)

    sign = _action(actions, "sign", "trust.sign", "sign a root document with the root keys that are here")
    names_a_file(sign.add_argument("file", type=Path, help="the document; the signatures are added to it"))

    export = _action(actions, "export", "trust.export", "write a root document to a file, to hand it over")
    _product(export)
    which = export.add_mutually_exclusive_group()
    which.add_argument("--number", type=_positive, metavar="N", help="which one (default: the newest)")
    which.add_argument("--pending", action="store_true", help="the one that waits for signatures")
    names_a_file(export.add_argument("-o", "--output", type=Path, required=True, help="where to"))

    take = _action(actions, "import", "trust.take", "take in root documents: signed ones, or newer ones")
    names_a_file(take.add_argument("files", type=Path, nargs="+", metavar="FILE", help="the documents"))
    pin = take.add_mutually_exclusive_group()
    pin.add_argument("--root-key", metavar="ID", help="first contact: a root key that must have signed")
    pin.add_argument("--first", action="store_true", help="first contact: these files came a safe way, trust them")


def later(function: str) -> Command:
    """Return the command that a module of this folder has, `module.function`, imported when it is asked for."""

    def run(options: Namespace) -> Result:
        module, _, name = function.partition(".")
        result: Result = getattr(importlib.import_module(f"orchestrator.cli.{module}"), name)(options)
        return result

    return run


def _action(actions: Commands, name: str, function: str, text: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=later(function))
    _json(parser, argparse.SUPPRESS)
    return parser


def _common(group: argparse.ArgumentParser) -> None:
    """What the group takes itself; the actions' own words come over it."""
    _json(group, False)
    _product(group, Path(), None)


def _json(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("--json", action="store_true", default=default, help="print one JSON object on standard output")


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the key's name, or the beginning of its id")


def _product(parser: argparse.ArgumentParser, folder: object = _UNSET, name: object = _UNSET) -> None:
    names_a_folder(
        parser.add_argument(
            "-C", "--product", type=Path, default=folder, metavar="DIR", help="the product's folder (default: here)"
        )
    )
    parser.add_argument(
        "--product-name", default=name, metavar="NAME", help="the product's name, where there is no product file"
    )


def _role(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--role", choices=ROLES, help=text)


def _expires(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expires", type=_positive, metavar="DAYS",
        help="refuse it when something was signed so many days later (default: never)",
    )  # fmt: skip


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 99999")
    return value
