# SPDX-License-Identifier: MIT
"""The words of the command line; each command's work is in `commands`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import shtab

from orchestrator import __version__
from orchestrator.cli import auditpage, bundles, commands
from orchestrator.cli.app_parser import add_app
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.cli.cve import add_cve
from orchestrator.cli.device_parser import Commands, add_device
from orchestrator.cli.history_parser import add_history
from orchestrator.cli.keys_parser import add_key
from orchestrator.cli.layers_parser import add_layer
from orchestrator.cli.machines_parser import add_machines
from orchestrator.cli.remotes_parser import add_remotes
from orchestrator.cli.sbom_parser import add_sbom
from orchestrator.cli.trust_parser import add_trust
from orchestrator.layers.audit import GRADES

_HERE = Path()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; `options.command` is the function that carries out what was asked."""
    parser = argparse.ArgumentParser(
        prog="pycontainer",
        description="Turn an embedded Linux product into layers, one signed revision and a flashable image.",
        epilog="Exit codes: 0 ok, 2 usage or configuration, 3 fetch, 4 build, 5 verification, "
        "7 policy or signature, 75 try again.",
    )
    parser.add_argument("--version", action="version", version=f"pycontainer {__version__}")
    shtab.add_argument_to(parser, "--print-completion", help="print a completion script for bash, zsh or tcsh")
    sub = parser.add_subparsers(metavar="COMMAND", required=True)

    build = _command(sub, "build", commands.build, "build a product: host, layers, revision, image")
    _product(build)
    _machine(build)
    build.add_argument("--force", action="store_true", help="look at every step again, whatever the last build said")
    build.add_argument("--plain", action="store_true", help="plain lines even on a terminal")

    image = _command(sub, "image", commands.image, "write the flashable image of a revision in the store")
    _product(image)
    _machine(image)
    image.add_argument(
        "--revision", default="", help="tag, channel, id or its beginning, main~1 (default: the last build)"
    )
    image.add_argument("-o", "--output", type=Path, help="where to write it (default: the build's image)")

    run = _command(sub, "run", commands.run, "boot the image in QEMU")
    _product(run)
    _machine(run)
    run.add_argument("--image", type=Path, help="another image than the product's last build")
    run.add_argument("--persist", action="store_true", help="keep what the device writes (default: forget it)")
    run.add_argument("--memory", type=_mebibytes, metavar="MIB", help="RAM of the virtual machine")
    run.add_argument("--firmware", metavar="NAME", help="another of the machine's firmwares ('pycontainer machines')")
    run.add_argument(
        "--port", action="append", default=[], metavar="[HOST:]GUEST",
        help="forward a port of 127.0.0.1 to the device (default: the ports that its apps expose)",
    )  # fmt: skip
    run.add_argument("--console", action="store_true", help="with --expect: show the console on standard error")
    run.add_argument("--expect", metavar="TEXT", help="end well as soon as the console shows TEXT (for CI)")
    update = run.add_mutually_exclusive_group()
    names_a_file(
        update.add_argument(
            "--update",
            type=Path,
            metavar="BUNDLE|REV",
            help="when the device is ready, update it to this bundle's revision, or to one of the store (main, v1.2)",
        )
    )
    names_a_file(
        update.add_argument(
            "--stick",
            type=Path,
            metavar="BUNDLE|REV",
            help="the same from a USB stick that is plugged in: the device reads it by itself",
        )
    )
    run.add_argument("--timeout", type=float, default=120.0, metavar="S", help="how long --expect waits (120)")

    add_history(sub)
    _bundle(sub)
    add_device(sub)
    add_app(sub)
    add_sbom(sub)
    add_cve(sub)
    add_remotes(sub)
    add_layer(sub)
    add_machines(sub)

    flash = _command(sub, "flash", commands.flash, "write an image to a disk, and read it back")
    names_a_file(flash.add_argument("image", type=Path, help="the .img file; its .bmap lies beside it"))
    flash.add_argument("device", type=Path, help="the whole disk, such as /dev/sdX")
    flash.add_argument("--yes", action="store_true", help="do not ask")
    flash.add_argument("--force-fixed", action="store_true", help="allow a disk that is not removable")

    audit = _command(sub, "audit", auditpage.audit, "rate the confinement: each relaxation, its reason and weight")
    _product(audit)
    audit.add_argument(
        "--at-least",
        choices=sorted([*GRADES, "E"]),
        metavar="GRADE",
        help="end with 7 when the grade is lower",
    )
    audit.add_argument("--all", action="store_true", help="list what holds as well")
    auditpage.add_options(audit)

    lock = _command(sub, "lock", commands.lock, "pin the packages and images that a product is built from")
    _product(lock)
    _machine(lock)
    lock.add_argument("--update", action="store_true", help="resolve anew, show what changes, and renew the lock file")

    add_key(sub)
    add_trust(sub)

    doctor = _command(sub, "doctor", commands.doctor, "look over this machine: what is missing, and what installs it")
    doctor.add_argument("--for", dest="purposes", default="build,run", help="of build, run, test (build,run)")
    doctor.add_argument("--machine", help="run: only this machine (default: those of this computer's architecture)")
    doctor.add_argument("--base", choices=("debian", "yocto"), default="debian", help="build: this base (debian)")
    doctor.add_argument("--install", action="store_true", help="install what is missing (root or sudo)")
    doctor.add_argument("--quiet", action="store_true", help="say nothing when nothing is missing")
    return parser


def _bundle(sub: Commands) -> None:
    group = sub.add_parser("bundle", help="make, check or list a bundle: revisions for a stick or a line", description=(
        "A bundle is an OCI image layout, as a folder or an uncompressed tar, with revisions, their signatures and "
        "their SPDX documents."
    ))  # fmt: skip
    actions = group.add_subparsers(metavar="ACTION", required=True)

    create = _command(actions, "create", bundles.create, "make a bundle of revisions in the store")
    create.add_argument(
        "names", nargs="*", metavar="REV",
        help="tag, channel, id or its beginning, main~1 (default: the last build); in front, a product's folder",
    )  # fmt: skip
    names_a_folder(create.add_argument(
        "-C", "--product", type=Path, default=Path(), metavar="FOLDER", help="the product's folder (default: here)"
    ))  # fmt: skip
    _machine(create)
    create.add_argument("--revision", action="append", metavar="REV", help="the same as REV in front")
    create.add_argument("--base", metavar="REV", help="leave out the blobs that this revision has")
    names_a_file(create.add_argument(
        "-o", "--output", type=Path, metavar="FILE.tar|FOLDER",
        help="where to write it: a tar when the name ends so, else a folder (default: a tar in the build folder)",
    ))  # fmt: skip

    verify = _command(actions, "verify", bundles.check, "check a bundle offline: every blob, every signature")
    _bundle_file(verify)
    names_a_folder(
        verify.add_argument(
            "--product", type=Path, help="folder of the product that it must be for (default: what the bundle says)"
        )
    )

    ls = _command(actions, "ls", bundles.ls, "list the revisions of a bundle")
    _bundle_file(ls)


def _bundle_file(parser: argparse.ArgumentParser) -> None:
    argument = parser.add_argument("bundle", type=Path, help="the bundle: a tar or a folder")
    names_a_file(argument)


def _machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--machine", help="another machine than the product file's")


def _mebibytes(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else 0
    if not 32 <= value <= 1024 * 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 32 to 1048576 (MiB)")
    return value


def _command(sub: Commands, name: str, function: commands.Command, text: str) -> argparse.ArgumentParser:
    parser = sub.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


class _Named(argparse.Action):
    """Two spellings of one value: the one that is left out does not undo what the other says."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if values is not self.default:
            setattr(namespace, self.dest, values)


def _product(parser: argparse.ArgumentParser) -> None:
    words = "folder with pycontainer.yaml, or the file (default: here)"
    names_a_folder(parser.add_argument("product", nargs="?", type=Path, default=_HERE, action=_Named, help=words))
    names_a_folder(parser.add_argument(
        "-C", "--product", type=Path, default=_HERE, action=_Named, metavar="FOLDER", help="the same, in front"
    ))  # fmt: skip
