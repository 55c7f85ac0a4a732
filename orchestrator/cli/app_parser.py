# SPDX-License-Identifier: MIT
"""The words of `pycontainer app`; each action's work is in `apps`."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.cli import apps, commands
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.cli.device_parser import Commands


def add_app(sub: Commands) -> None:
    """Add the command `app` with its actions."""
    group = sub.add_parser("app", help="add, remove, import, list or look at the layers of a product", description=(
        "The layers of a product file: each change touches the lines of its layer only, and a wrong one leaves the "
        "file as it was."
    ))  # fmt: skip
    actions = group.add_subparsers(metavar="ACTION", required=True)

    add = _action(actions, "add", apps.add, "add a layer: an image, a tar, a directory or a recipe")
    add.add_argument("name", help="the layer's name: lower case, digits, . _ -")
    add.add_argument(
        "reference", metavar="REFERENCE",
        help="registry.example/app:1.2, oci:DIR, oci-archive:FILE, docker-archive:FILE, tar:FILE, directory:DIR, "
        "bitbake:RECIPE, layer:REFERENCE of a published layer, or a path",
    )  # fmt: skip
    _settings(add)

    rm = _action(actions, "rm", apps.rm, "remove a layer from the product file")
    rm.add_argument("name", help="the layer's name")

    update = _action(actions, "update", apps.update, "move the pins of images to what their tags mean now")
    update.add_argument("names", nargs="*", metavar="NAME", help="layers (default: all that come from a registry)")

    _action(actions, "ls", apps.ls, "list the layers of a product")

    show = _action(actions, "show", apps.show, "show what will run in a layer, and who says so")
    show.add_argument("name", help="the layer's name")
    show.add_argument("--machine", help="another machine than the product file's")
    show.add_argument("--runtime-config", action="store_true", help="print the OCI runtime configuration")

    take = _action(actions, "import", apps.bring_in, "import the services of a compose file as layers")
    names_a_file(take.add_argument("file", type=Path, metavar="COMPOSE", help="the compose file"))
    _import(take)


def _action(actions: Commands, name: str, function: commands.Command, text: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    names_a_folder(parser.add_argument(
        "-C", "--product", type=Path, default=Path(), metavar="FOLDER",
        help="folder with pycontainer.yaml, or the file (default: here)",
    ))  # fmt: skip
    return parser


def _settings(add: argparse.ArgumentParser) -> None:
    add.add_argument("--kind", choices=("app", "rootfs"), default="app", help="what it is (app)")
    add.add_argument("--platform", metavar="OS/ARCH", help="which of an image's platforms (the machine's)")
    add.add_argument("--version", help="shown in summaries and SBOMs")
    add.add_argument("--command", metavar="WORDS", dest="words", help="replaces the image's, in one text")
    add.add_argument("--user", help="name or number, with :group if wanted")
    add.add_argument("--memory", metavar="SIZE", help="limit, such as 64MiB")
    add.add_argument("--cpus", type=float, metavar="N", help="processor share, such as 0.5")
    add.add_argument("--network", choices=("bridge",), help="an address of its own on the device's bridge")
    for name, metavar, text in (
        ("port", "HOST:CONTAINER", "publish a port, such as 8080:80"),
        ("after", "LAYER[:CONDITION]", "start after a layer: up, healthy or completed"),
        ("volume", "NAME:PATH", "keep what is written there"),
        ("tmpfs", "PATH", "a directory in memory, empty at each start"),
        ("env", "NAME=VALUE", "set an environment variable"),
        ("file", "SOURCE:PATH", "lay a file or folder of the product over the layer"),
        ("signer", "KEYID", "who may have signed a published layer"),
    ):
        add.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=f"{text}; may be given again")
    add.add_argument("--restart", choices=("always", "on-failure", "no"), help="when it is started again (always)")


def _import(take: argparse.ArgumentParser) -> None:
    for name, metavar, text in (
        ("service", "NAME", "import this one only"),
        ("profile", "NAME", "import services of this profile too"),
        ("drop", "KEY", "leave out a refused key, such as web.init, init, or all"),
        ("image", "SERVICE=REFERENCE", "what to make a service of, instead of its image or build"),
    ):
        take.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=f"{text}; may be given again")
    take.add_argument("--registry", default="", metavar="HOST[/PATH]", help="where images without a registry are")
    names_a_file(
        take.add_argument(
            "--env-file",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="variables (default: .env beside it)",
        )
    )
    take.add_argument(
        "--keep-defaults", action="store_true",
        help="give Docker's default capabilities, and tmpfs on /run, /tmp and /var/tmp",
    )  # fmt: skip
    take.add_argument("--replace", action="store_true", help="write layers anew that are there already")
    take.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
