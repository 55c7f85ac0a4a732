# SPDX-License-Identifier: MIT
"""The words of `pycontainer channel`, `sign` and `verify`."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.cli.completion import names_a_folder
from orchestrator.cli.keys_parser import Commands, later

_REV = "a tag, a channel, HEAD, candidate, an id or 4 or more of its first digits"


def add_trust(sub: Commands) -> None:
    """Add the commands."""
    group = sub.add_parser(
        "channel",
        help="show channels, or let one stand for a revision",
        description="Show the channels, each with its newest signed pointer, or do something with one.",
    )
    group.set_defaults(command=later("trust_channels.ls"))
    _place(group, top=True)
    actions = group.add_subparsers(metavar="ACTION")

    ls = _command(actions, "ls", "trust_channels.ls", "list the channels and what they stand for")
    _place(ls)

    show = _command(actions, "show", "trust_channels.show", "show a channel's pointer, verified step by step")
    show.add_argument("name", nargs="?", default="main", metavar="CHANNEL", help="(main)")
    _place(show)

    move = _command(
        actions, "set", "trust_channels.move", "let a channel stand for a revision, by a new signed pointer"
    )
    move.add_argument("name", metavar="CHANNEL")
    move.add_argument("revision", nargs="?", default="", metavar="REV", help=f"{_REV} (default: the head of main)")
    _place(move)
    move.add_argument(
        "--floor", type=_natural, metavar="N", help="the lowest security version that may still be taken; never falls"
    )
    move.add_argument(
        "--security-version",
        type=_natural,
        metavar="N",
        help="what the revision counts as, when more than it was built with",
    )
    move.add_argument(
        "--expires",
        type=_natural,
        metavar="DAYS",
        help="refuse the pointer when something was signed so many days later",
    )
    move.add_argument(
        "--force", action="store_true", help="also to a revision that the channel's head does not lead to"
    )

    cosign = _command(actions, "sign", "trust_channels.sign", "add this machine's signatures to a channel's pointer")
    cosign.add_argument("name", nargs="?", default="main", metavar="CHANNEL", help="(main)")
    _place(cosign)

    sign = _command(sub, "sign", "trust_verify.sign", "sign a revision with the keys that are here, beside others")
    sign.add_argument("revision", nargs="?", default="", metavar="REV", help=f"{_REV} (default: the last build)")
    sign.add_argument("--cosign", action="store_true", help="also in cosign's format, for 'cosign verify --key'")
    _place(sign, top=True)

    verify = _command(
        sub, "verify", "trust_verify.verify", "check a revision: every blob, every signature; or a bundle"
    )
    verify.add_argument(
        "what", nargs="?", default="", metavar="REV|BUNDLE",
        help=f"{_REV}; a bundle's file or folder; or a product's folder (default: the last build)",
    )  # fmt: skip
    verify.add_argument("--revision", default="", metavar="REV", help=argparse.SUPPRESS)
    _place(verify, top=True)


def _command(sub: Commands, name: str, function: str, text: str) -> argparse.ArgumentParser:
    parser = sub.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=later(function))
    return parser


def _place(parser: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Add what every command takes; an action's own words come over those of its group."""
    parser.add_argument(
        "--json", action="store_true", default=False if top else argparse.SUPPRESS,
        help="print one JSON object on standard output",
    )  # fmt: skip
    names_a_folder(
        parser.add_argument(
            "-C", "--product", type=Path, default=Path() if top else argparse.SUPPRESS, metavar="DIR",
            help="the product's folder (default: here)",
        )
    )  # fmt: skip
    parser.add_argument(
        "--machine", default=None if top else argparse.SUPPRESS, help="another machine than the product file's"
    )


def _natural(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else -1
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2147483647")
    return value
