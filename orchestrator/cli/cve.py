# SPDX-License-Identifier: MIT
"""`pycontainer cve`: known vulnerabilities of a release, by databases on disk."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from pathlib import Path

from orchestrator.canonical import write_atomically
from orchestrator.cli import screens
from orchestrator.cli.commands import Result, reporter
from orchestrator.cli.completion import names_a_file, names_a_folder
from orchestrator.cli.device_parser import Commands
from orchestrator.cli.sbom import answer
from orchestrator.cve import examine, load, load_vex, openvex
from orchestrator.cve.examine import Report, to_data
from orchestrator.cve.model import SEVERITIES
from orchestrator.errors import TrustError


def add_cve(sub: Commands) -> None:
    """Add the command."""
    text = "look up known vulnerabilities in databases on this disk; exit code 7 from --severity on"
    parser = sub.add_parser("cve", help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    names_a_folder(
        parser.add_argument(
            "product",
            nargs="?",
            type=Path,
            default=Path(),
            help="folder with pycontainer.yaml (default: here)",
        )
    )
    parser.add_argument("--machine", help="another machine than the product file's")
    parser.add_argument("--revision", default="", help="id, its beginning, or tag (default: the last build)")
    for name, many, words in (
        ("--document", True, "an SBOM in place of the build's; may be given again"),
        ("--db", True, "Debian's security tracker as JSON, or OSV (JSON or zip); may be given again"),
        ("--vex", True, "OpenVEX statements that decide findings; may be given again"),
    ):
        names_a_file(parser.add_argument(
            name, type=Path, action="append" if many else "store", default=[], metavar="FILE", help=words,
            required=name == "--db",
        ))  # fmt: skip
    parser.add_argument(
        "--severity", choices=SEVERITIES, help="fail when something as severe is open (unknown: medium)"
    )
    parser.add_argument("--all", action="store_true", help="show what is fixed or does not affect, too")
    parser.add_argument("--openvex", type=Path, metavar="FILE", help="write the findings as an OpenVEX document")


def run(options: Namespace) -> Result:
    """`pycontainer cve`."""
    asked = answer(options)
    with reporter(options.json) as report:
        with report.step("read the databases") as step:
            databases = [load(path) for path in options.db]
            statements = [statement for path in options.vex for statement in load_vex(path)]
            step.result = f"{sum(each.entries for each in databases)} entries"
        with report.step("look up") as step:
            found = examine(asked.bill, databases, statements)
            step.result = f"{found.looked_for} packages"
    failed = bool(options.severity and found.reaching(options.severity))
    text = _screen(found, options.all)
    if options.openvex:
        supplier = asked.product.supplier if asked.product else None
        author = f"{supplier.name} <{supplier.contact}>" if supplier else asked.title
        when = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        name, _, version = asked.title.partition(" ")
        write_atomically(options.openvex, openvex(found.findings, author, f"pkg:generic/{name}@{version}", when))
        text += f"\n{screens.near(str(options.openvex))}: written"
    return Result(text, to_data(found) | {"failed": failed}, TrustError.exit_code if failed else 0)


def _screen(report: Report, everything: bool) -> str:
    rows = []
    order = [*reversed(SEVERITIES), "unknown"]
    shown = report.findings if everything else report.open
    for each in sorted(shown, key=lambda one: order.index(one.advisory.severity)):
        state = each.state if not each.statement else f"{each.state} ({each.statement})"
        fixed = f"fixed in {each.advisory.fixed}" if each.advisory.fixed else each.advisory.note or "no fix yet"
        rows.append((each.advisory.severity, each.advisory.id, each.package.layer, each.package.component,
                     f"{each.package.component_version}: {state}, {fixed}"))  # fmt: skip
    columns = [("severity", "left"), ("id", "left"), ("layer", "left"), ("component", "left"), ("what", "left")]
    counts = ", ".join(f"{count} {severity}" for severity, count in report.counts().items() if count) or "none"
    foot = [f"\nopen: {counts}; {report.looked_for} packages looked for"]
    if report.unknown:
        foot.append(f"not looked for, without package URL: {', '.join(report.unknown[:10])}")
    if report.unjudged:
        foot.append(f"{report.unjudged} advisories speak of commits only and were not judged")
    foot += [f"{each.name}: {each.entries} entries, {each.digest}" for each in report.databases]
    return screens.render(*([screens.table(columns, rows)] if rows else []), "\n".join(foot))
