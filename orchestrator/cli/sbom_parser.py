# SPDX-License-Identifier: MIT
"""The words of `pycontainer sbom`."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.cli import sbom, sbomfiles
from orchestrator.cli.commands import Command
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.cli.device_parser import Commands

_ABOUT = """Look into the documents of a release (SPDX 3.0.1 or 2.3), check them, judge the licences, and make what must
be passed on. An action works on the documents of the product's last build, on those of a revision in its store
(--revision), or on any files (--document)."""


def add_sbom(sub: Commands) -> None:
    """Add the command with all of its actions."""
    group = sub.add_parser("sbom", help="licences and bills of materials: list, check, judge, compare, pass on",
                           description=_ABOUT)  # fmt: skip
    actions = group.add_subparsers(metavar="ACTION", required=True)

    ls = _action(actions, "list", sbom.list_components, "list the components of all layers")
    _layer(ls)
    ls.add_argument("--name", metavar="PATTERN", help="only those whose name or package URL fits (`lib*`)")
    ls.add_argument("--licence", metavar="PATTERN", help="only those with such a licence (`GPL-3.0-*`)")
    ls.add_argument("--copyleft", action="store_true", help="only those with a copyleft licence")
    ls.add_argument("--unknown", action="store_true", help="only those whose licence is unknown")

    show = _action(actions, "show", sbom.show, "show all that is known of a component, with the evidence")
    show.add_argument("component", help="its name, package URL or element id")

    check = _action(actions, "check", sbom.check, "run every named check; exit code 5 when one fails")
    check.add_argument("--format", choices=("table", "json", "junit", "sarif"), default="table", help="(table)")
    check.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the report there")
    check.add_argument("--strict", action="store_true", help="fail for what is unknown, too")
    names_a_file(check.add_argument("--image", type=Path, help="the flashable file (default: the build's)"))
    names_a_folder(check.add_argument("--sources", type=Path, help="the folder of the source bundle"))
    names_a_folder(
        check.add_argument(
            "--rebuilt", type=Path, metavar="FOLDER", help="the documents of another build, which must be equal"
        )
    )
    check.add_argument("--explain", action="store_true", help="show every finding, not the first of each kind")

    policy = _action(actions, "policy", sbom.policy, "judge every licence by the policy; exit code 7: denied")
    policy.add_argument("--all", action="store_true", help="show what is allowed, too")

    diff = _command(actions, "diff", sbom.diff, "compare two releases: components, layers, licences, files")
    diff.add_argument("before", help="a document, a folder of them, or a revision of the product here")
    diff.add_argument("after", help="likewise")
    _product(diff, option=True)

    notice = _action(actions, "notice", sbomfiles.notice, "write the notice: who wrote what, and every licence text")
    _layer(notice)
    notice.add_argument("--format", choices=("text", "html"), default="text", help="(text)")
    notice.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there (default: standard output)")

    sources = _action(actions, "sources", sbomfiles.sources, "list the sources, and fetch those that are owed")
    _layer(sources)
    sources.add_argument("--all", action="store_true", help="those that no licence asks for, too")
    names_a_folder(
        sources.add_argument(
            "--fetch",
            type=Path,
            metavar="FOLDER",
            help="make the source bundle there; exit code 3: one is missing",
        )
    )
    sources.add_argument(
        "--record", action="store_true", help="look up the sources' hashes for the next build's documents"
    )
    sources.add_argument("--offer", action="store_true", help="print the written offer of the policy")

    obligations = _action(actions, "obligations", sbom.obligations, "list what each licence asks of who passes it on")
    _layer(obligations)

    export = _action(actions, "export", sbomfiles.export, "write the documents of another format")
    export.add_argument("--format", choices=sbomfiles.FORMATS, required=True)
    _layer(export)
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there (default: standard output)")

    attest = _action(actions, "attest", sbomfiles.attest, "sign that the documents are about this image and its layers")
    names_a_file(attest.add_argument("--image", type=Path, help="the flashable file (default: the build's)"))
    attest.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (default: beside them)")

    verify = _action(actions, "verify", sbomfiles.verify, "check an attestation; exit code 5: changed, 7: not signed")
    names_a_file(verify.add_argument("--attestation", type=Path, help="(default: the build's)"))
    names_a_file(verify.add_argument("--image", type=Path, help="the flashable file (default: the build's)"))


def _command(sub: Commands, name: str, function: Command, text: str) -> argparse.ArgumentParser:
    parser = sub.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def _action(sub: Commands, name: str, function: Command, text: str) -> argparse.ArgumentParser:
    parser = _command(sub, name, function, text)
    _product(parser, option=name == "show")
    parser.add_argument("--machine", help="another machine than the product file's")
    parser.add_argument("--revision", default="", help="id, its beginning, or tag (default: the last build)")
    names_a_file(
        parser.add_argument(
            "--document", type=Path, action="append", default=[], metavar="FILE", help="a document; may be given again"
        )
    )
    names_a_file(
        parser.add_argument(
            "--policy", type=Path, metavar="FILE", help="(default: pycontainer.policy.yaml beside the product file)"
        )
    )
    return parser


def _product(parser: argparse.ArgumentParser, *, option: bool) -> None:
    text = "folder with pycontainer.yaml, or the file (default: here)"
    if option:
        argument = parser.add_argument("--product", type=Path, default=Path(), help=text)
    else:
        argument = parser.add_argument("product", nargs="?", type=Path, default=Path(), help=text)
    names_a_folder(argument)


def _layer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layer", default="", help="only this layer")
