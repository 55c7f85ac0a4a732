# SPDX-License-Identifier: MIT
"""The page: self-contained HTML that opens anywhere, prints well, and is the same for the same facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from orchestrator.report import chart
from orchestrator.report.facts import Facts

_STYLE = """
:root{--ink:#1d2430;--dim:#5d6675;--line:#d9dde3;--good:#2f7d4f;--warn:#a86400;--bad:#b3261e}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);max-width:70em;margin:0 auto;
padding:2em 1.5em}h1{font-size:1.8em;margin:0}h2{margin:2em 0 .6em;padding-bottom:.2em;border-bottom:2px solid
var(--ink);font-size:1.25em}.dim{color:var(--dim)}code{font-family:ui-monospace,monospace;font-size:.86em;
overflow-wrap:anywhere}table{border-collapse:collapse;width:100%;font-size:.88em}th,td{text-align:left;vertical-align:
top;padding:.3em .6em .3em 0;border-bottom:1px solid var(--line)}th{color:var(--dim);font-weight:600}td.n,th.n{
text-align:right}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5em,1fr));gap:.8em;margin:1.2em 0}
.tile{border:1px solid var(--line);border-radius:6px;padding:.7em .9em}.tile b{display:block;font-size:1.5em}
.passed,.ok{color:var(--good)}.warned,.review{color:var(--warn)}.failed,.deny,.error{color:var(--bad)}
.skipped,.waived{color:var(--dim)}svg{width:100%;height:auto;font:13px system-ui,sans-serif}.legend span{
margin-right:1.4em;white-space:nowrap}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
details{margin:.4em 0}summary{cursor:pointer;font-weight:600}nav a{margin-right:1.2em}dl{display:grid;
grid-template-columns:max-content 1fr;gap:.2em 1.2em;margin:1em 0}dt{color:var(--dim)}dd{margin:0}
@media print{body{max-width:none;padding:0;font-size:11px}nav{display:none}h2{break-after:avoid}tr,.tile{break-inside:
avoid}thead{display:table-header-group}a{color:inherit;text-decoration:none}*{print-color-adjust:exact;
-webkit-print-color-adjust:exact}}
"""
_SECTIONS = (("layers", "Layers"), ("licences", "Licences"), ("obligations", "Obligations"), ("checks", "Checks"),
             ("findings", "Open findings"), ("policy", "Policy"), ("vulnerabilities", "Vulnerabilities"),
             ("signatures", "Signatures"), ("confinement", "Confinement"), ("components", "Components"))  # fmt: skip
_MARKS = {"passed": "✓ passed", "warned": "! warned", "failed": "✗ failed", "skipped": "– not looked at"}
_COLOUR = {"error": "error", "warning": "warned"}
_FINDINGS = 400


def page(facts: Facts) -> str:
    """Return the page with a final newline."""
    builders = {
        "layers": _layers, "licences": _licences, "obligations": _obligations, "checks": _checks,
        "findings": _findings, "policy": _policy, "vulnerabilities": _vulnerabilities, "signatures": _signatures,
        "confinement": _confinement, "components": _components,
    }  # fmt: skip
    body = [_head(facts)]
    for key, title in _SECTIONS:
        body.append(f'<section id="{key}"><h2>{title}</h2>{builders[key](facts)}</section>')
    links = "".join(f'<a href="#{key}">{title}</a>' for key, title in _SECTIONS)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(facts.title)}: audit</title><style>{_STYLE}</style></head><body>\n"
        + body[0]
        + f"<nav>{links}</nav>"
        + "\n".join(body[1:])
        + "\n</body></html>\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table; cells are HTML already."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if position in numbers else ''}>{value}</{tag}>"
            for position, value in enumerate(values)
        )

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{lines}</tbody></table>"


def _head(facts: Facts) -> str:
    open_ = [finding for _, finding in facts.findings if not finding.waiver]
    errors = sum(finding.severity == "error" for finding in open_)
    files = sum(layer.files or 0 for layer in facts.layers)
    unowned = sum(layer.unowned or 0 for layer in facts.layers)
    tiles = [
        ("layers", str(len(facts.layers)), ""),
        ("components", str(len(facts.components)), ""),
        ("licences", str(len(facts.licences)), ""),
        ("files accounted for", f"{100 * (files - unowned) / files:.1f} %" if files else "unknown", ""),
        ("failed checks", str(errors), "failed" if errors else "passed"),
        ("denied licences", str(sum(each.denied for each in facts.rulings)), ""),
    ]
    if facts.vulnerabilities is not None:
        tiles.append(("open vulnerabilities", str(len(facts.vulnerabilities.open)), ""))
    grid = "".join(f'<div class="tile"><b class="{kind}">{value}</b>{name}</div>' for name, value, kind in tiles)
    lines = [("machine", facts.machine), ("built from sources of", facts.created), ("revision", facts.revision),
             ("image SHA-256", facts.image)]  # fmt: skip
    said = "".join(f"<dt>{name}</dt><dd><code>{escape(value)}</code></dd>" for name, value in lines if value)
    return f'<header><h1>{escape(facts.title)}</h1><p class="dim">Audit of a release</p><dl>{said}</dl>' + (
        f'<div class="tiles">{grid}</div></header>'
    )


def _layers(facts: Facts) -> str:
    rows = [
        (
            f"<b>{escape(layer.name)}</b>", escape(layer.kind), escape(layer.version), str(layer.components),
            "unknown" if layer.files is None else str(layer.files),
            "unknown" if layer.unowned is None else str(layer.unowned), escape(layer.origin),
            "<br>".join(f"<code>{digest[:16]}</code>" for digest in layer.digests),
        )
        for layer in facts.layers
    ]  # fmt: skip
    head = ("layer", "kind", "version", "components", "files", "unowned", "origin", "digests")
    return _table(head, rows, numbers=(3, 4, 5))


def _licences(facts: Facts) -> str:
    bars = chart.layers([(layer.name, layer.categories) for layer in facts.layers])
    return (
        f"<h3>Components by the licence that asks for most</h3>{chart.legend()}{bars}"
        f"<h3>The commonest licences</h3>{chart.licences(facts.licences)}"
    )


def _obligations(facts: Facts) -> str:
    if not facts.obligations:
        return "<p>No licence asks for anything.</p>"
    rows = []
    for duty, meaning, layers in facts.obligations:
        which = "".join(
            f'<div><b>{escape(layer)}</b> <span class="dim">{escape(", ".join(names))}</span></div>'
            for layer, names in layers
        )
        rows.append((f"<b>{escape(duty)}</b>", escape(meaning), which))
    return _table(("duty", "what it means", "components"), rows)


def _checks(facts: Facts) -> str:
    rows = [
        (
            escape(row.id),
            escape(row.title),
            *(f'<span class="{outcome}">{_MARKS[outcome]}</span>' for outcome in row.outcomes),
        )
        for row in facts.checks
    ]
    return _table(("check", "what holds", *(escape(name.partition(".")[0]) for name in facts.documents)), rows)


def _findings(facts: Facts) -> str:
    listed = [(name, each) for name, each in facts.findings if not each.waiver]
    waived = [(name, each) for name, each in facts.findings if each.waiver]
    listed.sort(key=lambda item: item[1].severity != "error")
    if not listed and not waived:
        return "<p class=passed>Every check that could look passed.</p>"
    counts = Counter((each.check, each.severity) for _, each in listed)
    summary = ", ".join(f"{count} × {check} ({severity})" for (check, severity), count in sorted(counts.items()))
    rows = [
        (
            escape(each.check), f'<span class="{_COLOUR[each.severity]}">{each.severity}</span>', escape(each.layer),
            escape(each.name or each.element), escape(each.message),
        )
        for _, each in listed[:_FINDINGS]
    ]  # fmt: skip
    text = f"<p>{escape(summary)}</p>" + _table(("check", "severity", "layer", "element", "what is wrong"), rows)
    if len(listed) > _FINDINGS:
        text += f"<p>… and {len(listed) - _FINDINGS} more; <code>pycontainer sbom check --explain</code> lists all.</p>"
    if waived:
        text += "<h3>Waived</h3>" + _table(
            ("check", "element", "by whom and why"),
            [(escape(each.check), escape(each.name or each.element), escape(each.waiver)) for _, each in waived],
        )
    return text


def _policy(facts: Facts) -> str:
    if not facts.rulings:
        return "<p class=passed>The policy allows every licence.</p>"
    rows = []
    for each in facts.rulings:
        word = "waived" if each.waiver else each.outcome
        why = each.waiver or "; ".join(filter(None, (each.reason, each.expired and f"waiver expired: {each.expired}")))
        rows.append(
            (
                f'<span class="{word}">{word}</span>', escape(each.layer), escape(each.component.name),
                escape(", ".join(each.deciding)), escape(why),
            )
        )  # fmt: skip
    return _table(("outcome", "layer", "component", "licence", "reason"), rows)


def _vulnerabilities(facts: Facts) -> str:
    report = facts.vulnerabilities
    if report is None:
        return "<p>No database was given (<code>--db</code>): nothing was looked up.</p>"
    rows = [
        (
            escape(each.advisory.severity), escape(each.advisory.id), escape(each.package.layer),
            f"{escape(each.package.component)} {escape(each.package.component_version)}",
            escape(each.state + (f" ({each.statement})" if each.statement else "")), escape(each.advisory.fixed or "–"),
        )
        for each in report.findings
    ]  # fmt: skip
    names = "".join(
        f"<li>{escape(each.name)}: {each.entries} entries, <code>{each.digest}</code></li>" for each in report.databases
    )
    head = ("severity", "id", "layer", "component", "state", "fixed in")
    return f"<p>{report.looked_for} packages looked for in:</p><ul>{names}</ul>" + (_table(head, rows) if rows else "")


def _signatures(facts: Facts) -> str:
    if not facts.signatures:
        return "<p class=failed>Nothing is signed.</p>"
    return _table(
        ("what", "result"), [(escape(name), f"<code>{escape(value)}</code>") for name, value in facts.signatures]
    )


def _confinement(facts: Facts) -> str:
    text = ""
    if facts.grades:
        text += _table(("part", "grade"), [(escape(name), escape(grade)) for name, grade in facts.grades])
    if not facts.relaxations:
        return text + "<p class=passed>No container's confinement is relaxed.</p>"
    weighed = any(each.weight for each in facts.relaxations)
    rows = [
        (escape(each.layer or "(the product)"), escape(each.what), escape(each.reason),
         *((escape(each.weight),) if weighed else ()))
        for each in facts.relaxations
    ]  # fmt: skip
    return text + _table(("layer", "relaxed", "reason", *(("weight",) if weighed else ())), rows)


def _components(facts: Facts) -> str:
    text = ""
    for layer in facts.layers:
        rows = [
            (
                f'<i style="color:{chart.COLOURS[each.category]}">■</i> {escape(each.name)}', escape(each.version),
                escape(each.licence), escape(each.supplier), escape(each.source),
            )
            for each in facts.components
            if each.layer == layer.name
        ]  # fmt: skip
        table = _table(("component", "version", "licence", "supplier", "source"), rows)
        text += f"<details open><summary>{escape(layer.name)} ({len(rows)})</summary>{table}</details>"
    return text
