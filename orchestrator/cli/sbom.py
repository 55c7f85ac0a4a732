# SPDX-License-Identifier: MIT
"""`pycontainer sbom`: list, show, check, policy, diff, obligations."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from argparse import Namespace
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from orchestrator.build.release import Answer, Question
from orchestrator.canonical import write_atomically
from orchestrator.cli import screens
from orchestrator.cli.commands import Result, reporter
from orchestrator.cli.result import tell_machine
from orchestrator.compliance import reports
from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.difference import compare
from orchestrator.compliance.duties import DUTIES
from orchestrator.compliance.duties import obligations as duties
from orchestrator.compliance.expressions import copyleft, terms_of
from orchestrator.compliance.findings import CHECKS
from orchestrator.compliance.judge import Verdict, judge
from orchestrator.compliance.policy import rule
from orchestrator.compliance.release import Release, of_files, of_folder
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.product.load import PRODUCT_FILE

_SHOWN = 3


def answer(options: Namespace) -> Answer:
    """Return what the options ask about."""
    files, rules = tuple(options.document), getattr(options, "policy", None)
    asked = Answer(Question(options.product, options.machine, options.revision, files, rules))
    if asked.product is not None and asked.place is not None and not files:
        tell_machine(asked.product, asked.place, options.machine)
    return asked


def _licence(component: Element) -> str:
    return component.concluded or component.declared or "NOASSERTION"


def list_components(options: Namespace) -> Result:
    """`pycontainer sbom list`."""
    asked = answer(options)
    asked.know(options.layer)
    bill = asked.bill
    found = [
        (layer.name, component)
        for layer in bill.layers
        if options.layer in ("", layer.name)
        for component in bill.members(layer.name)
        if _wanted(bill, component, options)
    ]
    rows = [(layer, each.name, each.version, _licence(each)) for layer, each in found]
    columns = [("layer", "left"), ("component", "left"), ("version", "left"), ("licence", "left")]
    layers = len({layer for layer, _ in found})
    text = screens.render(screens.table(columns, rows), f"\n{len(found)} components in {layers} layers")
    data = [{"layer": layer, **_data(component)} for layer, component in found]
    return Result(text, {"components": data})


def _wanted(bill: Bill, component: Element, options: Namespace) -> bool:
    terms = terms_of(_licence(component)) if component.declared or component.concluded else ()
    if options.name and not any(fnmatch.fnmatchcase(each, options.name) for each in (component.name, component.purl)):
        return False
    if options.licence and not any(fnmatch.fnmatchcase(str(term), options.licence) for term in terms):
        return False
    if options.copyleft and not any(copyleft(bill, term) for term in terms):
        return False
    return not options.unknown or not (component.declared or component.concluded)


def _data(component: Element) -> dict[str, Any]:
    supplier = component.supplier
    return {
        "id": component.id,
        "name": component.name,
        "version": component.version,
        "purl": component.purl or None,
        "declared": component.declared or None,
        "concluded": component.concluded or None,
        "supplier": {"name": supplier.name, "contact": supplier.contact} if supplier else None,
    }


def show(options: Namespace) -> Result:
    """`pycontainer sbom show`."""
    bill = answer(options).bill
    found = [each for each in bill.components if options.component in (each.name, each.purl, each.id)]
    if not found:
        raise ConfigError(
            f"there is no component {options.component}", "no name, package URL or id in the documents is that",
            "see them: pycontainer sbom list",
        )  # fmt: skip
    blocks, data = [], []
    for component in found:
        value = _data(component) | {
            "layer": bill.layer_of.get(component.id, ""),
            "fileName": component.file_name or None,
            "hashes": dict(component.hashes),
            "copyright": component.copyright.splitlines(),
            "homepage": component.homepage or None,
            "facts": dict(sorted(component.properties.items())),
            "needs": sorted(
                bill.elements[edge.target].name
                for edge in bill.below.get(component.id, ())
                if edge.kind in ("dependsOn", "hasStaticLink", "hasDynamicLink") and edge.target in bill.elements
            ),
        }
        data.append(value)
        blocks.append("\n".join(_lines(value)))
    return Result("\n\n".join(blocks), {"components": data})


def _lines(value: dict[str, Any]) -> list[str]:
    lines = [f"{value['name']} {value['version']} in layer {value['layer']}"]
    for key, item in value.items():
        if key in ("name", "version", "layer", "facts") or not item:
            continue
        if isinstance(item, dict):
            item = "  ".join(f"{name} {each}" for name, each in item.items() if each)
        if isinstance(item, list):
            item = ", ".join(map(str, item[:12])) + (f" and {len(item) - 12} more" if len(item) > 12 else "")
        lines.append(f"  {key:<12} {item}")
    lines += [f"    {name:<22} {item}" for name, item in value["facts"].items() if item and not item.startswith("{")]
    return lines


_MARKS = {"passed": "ok", "warned": "!", "failed": "FAILED", "skipped": "-"}


def check(options: Namespace) -> Result:
    """`pycontainer sbom check`."""
    asked = answer(options)
    with reporter(options.json) as report:
        with report.step("read the documents") as step:
            step.result = f"{len(asked.release.documents())} documents"
        with report.step("what they are checked against"):
            around = asked.surroundings(
                image=options.image, sources=options.sources, rebuilt=options.rebuilt, progress=report.view.amount
            )
        with report.step("check") as step:
            waivers = asked.policy.check_waivers(_today())
            verdicts = {
                document.name: judge(document.bill, around[document.name], waivers)
                for document in asked.release.documents()
            }
            whole = asked.release.image
            step.result = f"{sum(len(each.findings) for each in verdicts.values())} findings"
    failed = sum(len(each.errors) + (len(each.warnings) if options.strict else 0) for each in verdicts.values())
    data = {"passed": not failed, "documents": [reports.to_data(name, each) for name, each in verdicts.items()]}
    text = {
        "table": lambda: _screen(verdicts, options.explain, whole.name if whole else ""),
        "json": lambda: json.dumps(data, sort_keys=True, ensure_ascii=False),
        "junit": lambda: reports.junit(verdicts),
        "sarif": lambda: json.dumps(reports.sarif(verdicts), sort_keys=True, ensure_ascii=False),
    }[options.format]()
    if options.output:
        write_atomically(options.output, text.rstrip("\n").encode() + b"\n")
        text = f"{screens.near(str(options.output))}: {'passed' if not failed else f'{failed} failures'}"
    return Result(text.rstrip("\n"), data, VerificationError.exit_code if failed else 0)


def _today() -> Any:
    return datetime.now(UTC).date()


def _screen(verdicts: dict[str, Verdict], explain: bool, whole: str) -> str:
    names = ["image" if name == whole else name.partition(".")[0] for name in verdicts]
    rows = []
    for check_ in CHECKS.values():
        outcomes = [_cell(verdict, check_.id) for verdict in verdicts.values()]
        rows.append((check_.id, *outcomes, check_.title))
    columns = [("check", "left"), *((name, "left") for name in names), ("what holds", "left")]
    parts: list[Any] = [screens.table(columns, rows)]
    for name, verdict in verdicts.items():
        kinds: Counter[tuple[str, str]] = Counter()
        lines = []
        for each in verdict.findings:
            kind = (each.check, each.severity)
            kinds[kind] += 1
            if explain or kinds[kind] <= _SHOWN:
                waiver = f"  (waived by {each.waiver})" if each.waiver else ""
                where = each.name or each.element
                lines.append(f"  {each.check:<4}{each.severity:<8}{where}: {each.message}{waiver}")
        hidden = sum(max(0, count - _SHOWN) for count in kinds.values()) if not explain else 0
        if lines:
            parts += [Text(f"\n{name}", style="bold"), Text("\n".join(lines))]
        if hidden:
            parts.append(Text(f"  ... and {hidden} more of the same kinds (--explain)"))
    errors, warnings = (sum(len(getattr(each, kind)) for each in verdicts.values()) for kind in ("errors", "warnings"))
    skipped = {check for verdict in verdicts.values() for check in verdict.skipped}
    skipped -= {check for verdict in verdicts.values() for check in CHECKS if verdict.outcome(check) != "skipped"}
    foot = f"\n{errors} errors, {warnings} warnings in {len(verdicts)} documents"
    parts.append(Text(foot + (f"; not looked at: {', '.join(sorted(skipped))}" if skipped else "")))
    return screens.render(*parts)


def _cell(verdict: Verdict, check_: str) -> str:
    outcome = verdict.outcome(check_)
    rows = [score for score in verdict.scores if score.check == check_]
    bad = sum(row.errors + row.warnings for row in rows)
    examined = sum(row.examined for row in rows)
    return f"{_MARKS[outcome]} {examined - bad}/{examined}" if bad else _MARKS[outcome]


def policy(options: Namespace) -> Result:
    """`pycontainer sbom policy`."""
    asked = answer(options)
    rulings = list(rule(asked.bill, asked.policy, _today()))
    shown = [each for each in rulings if options.all or each.outcome != "allow"]
    rows = []
    for each in shown:
        outcome = "waived" if each.waiver else each.outcome
        why = each.waiver or "; ".join(filter(None, (each.reason, each.expired and f"waiver expired: {each.expired}")))
        rows.append((outcome, each.layer, each.component.name, f"{', '.join(each.deciding)}: {why}"))
    counts = Counter("waived" if each.waiver else each.outcome for each in rulings)
    foot = "\n" + ", ".join(f"{counts[word]} {word}" for word in ("allow", "review", "deny", "waived"))
    columns = [("outcome", "left"), ("layer", "left"), ("component", "left"), ("licence and reason", "left")]
    data = {
        "counts": dict(sorted(counts.items())),
        "rulings": [
            {**dataclasses.asdict(each), "component": each.component.name, "id": each.component.id,
             "denied": each.denied}
            for each in rulings
        ],
    }  # fmt: skip
    denied = any(each.denied for each in rulings)
    return Result(screens.render(screens.table(columns, rows), foot), data, TrustError.exit_code if denied else 0)


def diff(options: Namespace) -> Result:
    """`pycontainer sbom diff`."""
    before, after = (_named(options, name) for name in (options.before, options.after))
    found = compare(before.bill, after.bill)
    rows = []
    for field in dataclasses.fields(found):
        for each in getattr(found, field.name):
            value = dataclasses.asdict(each)
            what = (
                f"{value['before']} -> {value['after']}"
                if "before" in value
                else f"{value['version']}  {value['licence']}"
            )
            rows.append((field.name, value["layer"], value["name"], what))
    columns = [("change", "left"), ("layer", "left"), ("name", "left"), ("what", "left")]
    text = screens.render(screens.table(columns, rows)) if rows else "nothing has changed"
    return Result(text, dataclasses.asdict(found))


def _named(options: Namespace, name: str) -> Release:
    path = Path(name)
    if path.is_dir():
        return of_folder(path)
    if path.is_file():
        return of_files([path])
    if not (options.product / PRODUCT_FILE).is_file() and not options.product.is_file():
        raise ConfigError(
            f"there are no documents at {name}", "no file or folder is there, and no product here has revisions",
            "name a document, a folder of them, or a revision with --product FOLDER",
        )  # fmt: skip
    return Answer(Question(options.product, None, name)).release


def obligations(options: Namespace) -> Result:
    """`pycontainer sbom obligations`."""
    asked = answer(options)
    asked.know(options.layer)
    found = [each for each in duties(asked.bill) if options.layer in ("", each.layer)]
    grouped: dict[tuple[str, str], list[str]] = {}
    for each in found:
        grouped.setdefault((each.duty, each.layer), []).append(each.component.name)
    order: dict[str, int] = {duty: place for place, duty in enumerate(DUTIES)}
    rows = []
    for (duty, layer), names in sorted(grouped.items(), key=lambda item: (order[item[0][0]], item[0][1])):
        unique = sorted(set(names))
        more = f" and {len(unique) - 8} more" if len(unique) > 8 else ""
        rows.append((duty, layer, str(len(names)), ", ".join(unique[:8]) + more))
    columns = [("duty", "left"), ("layer", "left"), ("components", "right"), ("which", "left")]
    meanings = "\n".join(f"  {duty}: {DUTIES[duty]}" for duty in DUTIES if any(key[0] == duty for key in grouped))
    data = {
        "obligations": [
            {"duty": each.duty, "meaning": DUTIES[each.duty], "layer": each.layer, "component": each.component.name,
             "version": each.component.version, "licences": list(each.licences), "choice": each.choice}
            for each in found
        ]
    }  # fmt: skip
    return Result(screens.render(screens.table(columns, rows), f"\n{meanings}"), data)
