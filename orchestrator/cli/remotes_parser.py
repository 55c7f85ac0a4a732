# SPDX-License-Identifier: MIT
"""The words of push, pull, fetch, clone, ls-remote and remote; each one's work is in `remotes`."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.cli import commands, remotes
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.cli.device_parser import Commands


def add_remotes(sub: Commands) -> None:
    """Add the commands that speak to remotes."""
    push = _command(sub, "push", remotes.push, "send revisions to a remote and move its channel")
    push.add_argument("remote", nargs="?", default="", help="its name, or a place (default: origin)")
    push.add_argument(
        "what", nargs="?", default="", metavar="REV|CHANNEL",
        help="a channel; or a revision or release, which then moves no channel (default: the channel main)",
    )  # fmt: skip
    _product(push)
    push.add_argument("--channel", metavar="NAME", help="let this channel stand for the revision there")
    push.add_argument("--tag", action="append", default=[], metavar="NAME", help="tag it there; may be given again")
    push.add_argument("--tags", action="store_true", help="send the tags of the store, too")
    push.add_argument("--force", action="store_true", help="move the channel, and tags, even if that loses revisions")

    pull = _command(sub, "pull", remotes.pull, "fetch a channel and let the local one follow")
    _from(pull)
    _product(pull)
    _depth(pull)
    pull.add_argument("--reset", action="store_true", help="follow even if the local channel loses revisions")

    fetch = _command(sub, "fetch", remotes.fetch, "bring what a remote has new; no local channel moves")
    _from(fetch, "which channels, or tags and what they stand for (default: all channels)")
    _product(fetch)
    _depth(fetch)

    clone = _command(sub, "clone", remotes.clone, "make a product folder out of a remote")
    clone.add_argument("reference", help="HOST/NAME of a registry, or the path of a store, product or bundle")
    names_a_folder(clone.add_argument("folder", nargs="?", type=Path, help="where to (default: the product's name)"))
    clone.add_argument("--channel", default="main", metavar="NAME", help="which channel (main)")
    clone.add_argument("--machine", default="", help="for this machine alone, when there are several")
    clone.add_argument(
        "--bare", action="store_true", help="the store alone, with all channels: to pull from and push to"
    )
    _depth(clone)
    clone.add_argument(
        "--key", action="append", default=[], metavar="KEYID|FILE",
        help="demand this signer: an id (8 digits or more), or its public key in PEM; may be given again",
    )  # fmt: skip

    ls = _command(sub, "ls-remote", remotes.ls_remote, "list the channels, tags and revisions of a remote")
    ls.add_argument("remote", nargs="?", default="", help="its name, or a place (default: origin)")
    _product(ls)
    ls.add_argument("--revisions", action="store_true", help="list revisions without a name as well")

    group = sub.add_parser("remote", help="add, remove or list remotes", description=(
        "Where the product's revisions go to and come from: registries, other stores, folders."
    ))  # fmt: skip
    actions = group.add_subparsers(metavar="ACTION", required=True)
    add = _command(actions, "add", remotes.remote_add, "give a place a name")
    add.add_argument("name", help="origin is the default one")
    add.add_argument("url", help="HOST[:PORT]/NAME of a registry, or a path")
    _product(add, machine=False)
    rm = _command(actions, "rm", remotes.remote_rm, "forget a remote, and what was last seen of it")
    rm.add_argument("name", help="its name")
    _product(rm, machine=False)
    _product(_command(actions, "ls", remotes.remote_ls, "list the remotes"), machine=False)


def _command(sub: Commands, name: str, function: commands.Command, text: str) -> argparse.ArgumentParser:
    parser = sub.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def _product(parser: argparse.ArgumentParser, *, machine: bool = True) -> None:
    names_a_folder(parser.add_argument(
        "-C", "--product", type=Path, default=Path(), metavar="FOLDER",
        help="folder with pycontainer.yaml, or the file (default: here)",
    ))  # fmt: skip
    if machine:
        parser.add_argument("--machine", help="another machine than the product file's")


def _from(parser: argparse.ArgumentParser, help_of_names: str = "which channels (default: main)") -> None:
    place = parser.add_argument("remote", nargs="?", default="", help="its name, or a place (default: origin)")
    names_a_file(place)
    parser.add_argument("channels", nargs="*", metavar="NAME", help=help_of_names)


def _depth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", type=_positive, metavar="N", help="so many revisions of a history at most")


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return value
