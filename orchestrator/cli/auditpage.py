# SPDX-License-Identifier: MIT
"""`pycontainer audit --html`: the page about a release, beside the list of what is relaxed."""

from __future__ import annotations

import argparse
import dataclasses
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.build.release import Answer, Question, signatures
from orchestrator.canonical import write_atomically
from orchestrator.cli import commands, screens
from orchestrator.cli.commands import Result, reporter
from orchestrator.cli.completion import names_a_file
from orchestrator.cli.result import tell_machine
from orchestrator.compliance.judge import judge
from orchestrator.compliance.policy import rule
from orchestrator.cve import examine, load, load_vex
from orchestrator.report import Relaxation, gather, page


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the page's options to those of `audit`."""
    parser.add_argument("--machine", help="another machine than the product file's")
    for name, many, words in (
        ("--html", False, "write a page about the last build: licences, obligations, findings, signatures"),
        ("--db", True, "for the page: a database of vulnerabilities; may be given again"),
        ("--vex", True, "for the page: OpenVEX statements; may be given again"),
    ):
        names_a_file(parser.add_argument(
            name, type=Path, action="append" if many else "store", default=[] if many else None, metavar="FILE",
            help=words,
        ))  # fmt: skip


def audit(options: Namespace) -> Result:
    """`pycontainer audit`, and its page when it is asked for."""
    result = commands.audit(options)
    if options.html is None:
        return result
    asked = Answer(Question(options.product, options.machine))
    if asked.product is not None and asked.place is not None:
        tell_machine(asked.product, asked.place, options.machine)
    with reporter(options.json) as report, report.step("audit page") as step:
        today = datetime.now(UTC).date()
        around = asked.surroundings(progress=report.view.amount)
        waivers = asked.policy.check_waivers(today)
        verdicts = {each.name: judge(each.bill, around[each.name], waivers) for each in asked.release.documents()}
        known = [load(path) for path in options.db]
        said = [statement for path in options.vex for statement in load_vex(path)]
        image = next((each.image["sha256"] for each in around.values() if each.image), "")
        facts = gather(
            asked.bill,
            verdicts,
            title=asked.title,
            machine=asked.place.machine if asked.place else "",
            revision=asked.revision.id if asked.revision else "",
            image=image,
            rulings=[each for each in rule(asked.bill, asked.policy, today) if each.outcome != "allow"],
            signatures=signatures(asked),
            relaxations=[
                Relaxation(each["layer"] or "", each["what"], each["reason"], str(each.get("points", "")))
                for each in result.data.get("relaxations", ())
            ],
            grades=[
                (each["layer"] or "(the product)", str(each["grade"]))
                for each in result.data.get("layers", ())
                if "grade" in each
            ],
            vulnerabilities=examine(asked.bill, known, said) if known else None,
        )
        write_atomically(options.html, page(facts).encode())
        step.result = f"{len(facts.components)} components"
    text = f"{result.text}\n\n{screens.near(str(options.html))}: the page about {asked.title}"
    return dataclasses.replace(result, text=text, data={**result.data, "html": str(options.html)})
