# SPDX-License-Identifier: MIT
"""The words of history: init, commit, status, log, show, diff, tag, checkout, revert, gc, fsck.

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

WORDS = ("init", "commit", "status", "log", "show", "diff", "tag", "checkout", "revert", "gc", "fsck")
"""The commands of this module."""

_OWN_MODULE = ("log", "status", "show", "diff")

_REV = """REV is a tag, a channel (main), HEAD (the channel's head), candidate (the last build), REMOTE/CHANNEL, an id
or 4 or more of its first digits; behind it ~N goes N revisions back, ^ to the parent."""


def add_history(sub: Commands) -> None:
    """Add the commands."""
    init = _command(sub, "init", "make a new product that builds, from a template")
    names_a_folder(init.add_argument("folder", nargs="?", type=Path, default=Path(), help="where (default: here)"))
    init.add_argument("--name", help="the product's name (default: the folder's)")
    init.add_argument("--machine", help="what it runs on (default: an emulated machine)")
    init.add_argument("--base", choices=["debian", "yocto"], help="what it is built from (default: Debian's packages)")

    commit = _command(
        sub, "commit", "record the last build as the next revision of a channel, for each machine of the product"
    )
    _place(commit)
    text = commit.add_mutually_exclusive_group()
    text.add_argument("-m", "--message", action="append", help="what changed; given again: another paragraph")
    names_a_file(text.add_argument("-F", "--file", help="take the message from a file (-: standard input)"))
    commit.add_argument("--allow-empty", action="store_true", help="even when nothing changed")

    status = _command(sub, "status", "what the last build changes, and what has changed since it")
    _place(status)

    log = _command(sub, "log", "the history of a channel")
    _place(log)
    log.add_argument("revision", nargs="*", metavar="REV", help="begin here (default: the channel's head)")
    log.add_argument("-n", "--max-count", type=_count, metavar="N", help="so many at most")
    log.add_argument("--oneline", action="store_true", help="one line each")
    log.add_argument("--graph", action="store_true", help="draw lines (done anyway where histories part)")
    log.add_argument("--all", action="store_true", help="all channels, tags and remotes")
    log.add_argument("--show-signature", action="store_true", help="verify each revision, and say who signed it")

    show = _command(sub, "show", "show a revision: what it says, what it changed, its layers and blobs")
    _place(show)
    show.add_argument("names", nargs="*", metavar="REV", help="which (default: candidate); or a product's folder")
    show.add_argument("--revision", default="", metavar="REV", help=argparse.SUPPRESS)

    diff = _command(sub, "diff", "what differs between two revisions")
    _place(diff)
    diff.add_argument("revision", nargs="*", metavar="REV", help="two, or A..B (default: HEAD and candidate)")
    diff.add_argument("--files", action="store_true", help="the files inside the layers' file systems")
    diff.add_argument("--packages", action="store_true", help="packages and licences")
    diff.add_argument("--layer", action="append", default=[], metavar="NAME", help="of this layer only")

    tag = _command(sub, "tag", "list, give or take away the names of revisions")
    _place(tag)
    tag.add_argument("name", nargs="?", help="the tag (default: list all)")
    tag.add_argument("revision", nargs="?", metavar="REV", help="what it stands for (default: HEAD)")
    tag.add_argument("-d", "--delete", action="store_true", help="take it away")
    tag.add_argument("-f", "--force", action="store_true", help="move it when it is there")

    checkout = _command(sub, "checkout", "write back the product file, what it names, and the pins of a revision")
    _place(checkout)
    checkout.add_argument("revision", metavar="REV")
    names_a_folder(checkout.add_argument("--into", type=Path, metavar="DIR", help="write them into a new folder"))
    checkout.add_argument("--force", action="store_true", help="overwrite changes that were never built")

    revert = _command(sub, "revert", "undo what a revision changed, by a new one; nothing is built")
    _place(revert)
    revert.add_argument("revision", metavar="REV")
    revert.add_argument("--to", action="store_true", help="take the whole state that REV had")
    revert.add_argument("-m", "--message", default="", help="another message")

    collect = _command(sub, "gc", "remove what nothing leads to any more")
    _place(collect, channel=False)
    collect.add_argument("--keep", type=_count, metavar="N", help="give up the blobs of all but the newest N revisions "
                         "of each name; their history stays")  # fmt: skip
    collect.add_argument("-n", "--dry-run", action="store_true", help="only say what would be removed")

    fsck = _command(sub, "fsck", "check the store: every blob, every revision, every signature")
    _place(fsck, channel=False)


def _command(sub: Commands, name: str, text: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}. {_REV if name not in ('init', 'gc', 'fsck') else ''}"
    parser = sub.add_parser(name, help=text, description=description)
    parser.set_defaults(command=_later(name))
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def _later(name: str) -> Command:
    def run(options: Namespace) -> Result:
        room = "history_tags" if name == "tag" else f"history_{name}" if name in _OWN_MODULE else "history"
        module = importlib.import_module(f"orchestrator.cli.{room}")
        result: Result = getattr(module, name)(options)
        return result

    return run


def _place(parser: argparse.ArgumentParser, *, channel: bool = True) -> None:
    folder = parser.add_argument(
        "-C", "--product", type=Path, default=Path(), metavar="DIR", help="the product's folder (default: here)"
    )
    names_a_folder(folder)
    parser.add_argument("--machine", help="another machine than the product file's")
    if channel:
        parser.add_argument("--channel", default="main", metavar="NAME", help="the channel whose head is HEAD (main)")


def _count(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return value
