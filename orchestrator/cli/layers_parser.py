# SPDX-License-Identifier: MIT
"""The words of `pycontainer layer`; each action's work is in `layers`."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.cli import commands, layers
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.cli.device_parser import Commands


def add_layer(sub: Commands) -> None:
    """Add the command `layer` with its actions."""
    group = sub.add_parser("layer", help="build, publish or look at one layer by itself", description=(
        "A layer that a team builds, signs and publishes without any product; products take it by its reference, as "
        "'from: {layer: ...}'."
    ))  # fmt: skip
    actions = group.add_subparsers(metavar="ACTION", required=True)

    build = _action(actions, "build", layers.build, "build a layer and sign it")
    _which(build)

    push = _action(actions, "push", layers.push, "publish the last build of a layer")
    push.add_argument("reference", metavar="REFERENCE", help="HOST[:PORT]/NAME:TAG of a registry, or oci:DIR:TAG")
    _which(push)

    show = _action(actions, "show", layers.show, "show a layer: what it is, what it asks for, who signed it")
    show.add_argument(
        "reference", nargs="?", default="", metavar="REFERENCE",
        help="HOST/NAME:TAG, oci:DIR:TAG or oci-archive:FILE (default: the last build here)",
    )  # fmt: skip
    _which(show)


def _action(actions: Commands, name: str, function: commands.Command, text: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="which layer of a product (not needed with a layer.yaml)")
    place = parser.add_argument(
        "-C", "--folder", type=Path, default=Path(), metavar="FOLDER",
        help="folder with layer.yaml or pycontainer.yaml, or the file (default: here)",
    )  # fmt: skip
    names_a_folder(place)
    names_a_file(place)
    parser.add_argument("--architecture", choices=("amd64", "arm64"), default="", help="another than the file's")
