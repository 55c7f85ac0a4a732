# SPDX-License-Identifier: MIT
"""The words of `pycontainer device`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from orchestrator.cli import devices
from orchestrator.cli.commands import Command
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.device.protocol import ANSWER_SECONDS
from orchestrator.device.trial import WAIT_SECONDS

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_ABOUT = """Ask a device, or make it do something. It is reached by TRANSPORT: unix:PATH (the control port of a virtual
machine), serial:/dev/ttyUSB0[,BAUD], or ssh:[USER@]HOST[:PORT], where it runs 'pycontainerctl relay'. Without --to and
PYCONTAINER_DEVICE it is the virtual machine that 'pycontainer run' started for the product here."""


def add_device(sub: Commands) -> None:
    """Add the command with all of its verbs."""
    group = sub.add_parser("device", help="ask a device, update it, look into its containers", description=_ABOUT)
    _common(group, None, Path(), ANSWER_SECONDS)
    # --json is for the verbs, but nobody should have to know.
    group.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    verbs = group.add_subparsers(metavar="VERB", required=True, dest="verb")

    _verb(
        verbs, "status", devices.status, "what runs, whether it is confirmed or on trial, and why the last trial ended"
    )
    _verb(verbs, "ps", devices.ps, "the containers with their state, health and use of the machine")

    logs = _verb(verbs, "logs", devices.logs, "a container's last log lines")
    logs.add_argument("container")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    logs.add_argument("-n", "--lines", type=_lines, default=100, metavar="N", help="how many (100)")

    observe = _verb(verbs, "observe", devices.observe, "what containers did: programs, connections, files written")
    observe.add_argument("container", nargs="?", help="the container (default: all that are observed)")
    observe.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    observe.add_argument("-n", "--lines", type=_lines, default=100, metavar="N", help="how many of each (100)")

    execute = _verb(verbs, "exec", devices.execute, "run a command in a container; ends with its exit status")
    execute.add_argument("-i", "--interactive", action="store_true", help="pass standard input on (default: empty)")
    execute.add_argument("container")
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments")

    for name, text in (("start", "start"), ("stop", "stop"), ("restart", "stop and start")):
        _verb(verbs, name, devices.container, f"{text} a container").add_argument("container")

    install = _verb(verbs, "install", devices.install, "install a revision beside the running one")
    _bundle(install, nargs="?")
    install.add_argument("--path", help="a bundle on the device: a file or a folder there")
    install.add_argument("--label", help="a bundle on the attached disk whose file system has this label")
    install.add_argument("--disks", action="store_true", help="a bundle on any disk that is attached to the device")
    install.add_argument(
        "--revision", metavar="REV", help="which revision of the bundle (default: the only one for its machine)"
    )

    attempt = _verb(verbs, "try", devices.attempt, "run an installed revision on trial")
    attempt.add_argument("revision", metavar="REV", help="its id, or 4 or more of its first digits")
    attempt.add_argument("--wait", action="store_true", help="wait until it is confirmed or rolled back")
    _limit(attempt)

    update = _verb(verbs, "update", devices.update, "install, try, and wait until confirmed or rolled back")
    _bundle(update)
    update.add_argument(
        "--revision", metavar="REV", help="which revision of the bundle (default: the only one for its machine)"
    )
    _limit(update)

    _verb(verbs, "confirm", devices.simple, "keep the revision that is on trial, now")
    _verb(verbs, "rollback", devices.simple, "end the trial, or go back to the revision that was confirmed before")
    _verb(verbs, "revisions", devices.revisions, "the revisions on the device")
    _verb(verbs, "gc", devices.gc, "remove revisions and blobs that nothing needs any more")
    _verb(verbs, "volumes", devices.volumes, "the volumes and what they use")
    _verb(verbs, "identity", devices.identity, "the device's own public key")
    _verb(verbs, "reboot", devices.simple, "restart the device")
    _verb(verbs, "poweroff", devices.simple, "power the device off")
    _verb(verbs, "version", devices.version, "the device program, its kernel, product and machine")


def _verb(verbs: Commands, name: str, function: Command, text: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object on standard output"
    )
    # The same options before and after the verb; what is not given here leaves alone what was given there.
    _common(parser, argparse.SUPPRESS, argparse.SUPPRESS, argparse.SUPPRESS)
    return parser


def _common(parser: argparse.ArgumentParser, to: object, product: object, timeout: object) -> None:
    parser.add_argument("--to", metavar="TRANSPORT", default=to, help="the device (default: $PYCONTAINER_DEVICE)")
    names_a_folder(
        parser.add_argument(
            "--product", type=Path, default=product, help="the product whose virtual machine is meant (default: here)"
        )
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=timeout, metavar="S",
        help=f"how long the device may be silent ({ANSWER_SECONDS:g})",
    )  # fmt: skip


def _bundle(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    argument = parser.add_argument("bundle", type=Path, nargs=nargs, help="the bundle here: a tar or a folder")
    names_a_file(argument)


def _limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=_seconds, default=WAIT_SECONDS, metavar="S",
        help=f"how long to wait for the end of the trial ({WAIT_SECONDS:g})",
    )  # fmt: skip


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError("from 0 to 86400 seconds")
    return value


def _lines(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError("from 0 to 1000000")
    return value
