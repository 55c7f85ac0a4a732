# SPDX-License-Identifier: MIT
"""The grammar of a licence synopsis."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from orchestrator.sbom import synopsis
from orchestrator.sbom.expression import Licence, licences, parse
from orchestrator.sbom.resolver import resolve_copyright, resolve_recipe

LICENSING = get_spdx_licensing()


def reading(text: str) -> str:
    return str(synopsis.parse(text, lambda name, exception: Licence(f"{name}/{exception}" if exception else name)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", "A"),
        ("A or B", "A OR B"),
        ("A and B or C and D", "(A AND B) OR (C AND D)"),
        ("A or B, and C", "(A OR B) AND C"),
        ("A, or B and C", "A OR (B AND C)"),
        ("A or B, and C or D, or E", "((A OR B) AND (C OR D)) OR E"),
        ("A, and B, and C or D", "A AND B AND (C OR D)"),
        ("A, B and C", "A AND B AND C"),
        ("A, B,", "A AND B"),
        ("A and/or B", "A AND B"),
        ("A | B", "A OR B"),
        ("A & B | C", "(A AND B) OR C"),
        ("A & (B | C)", "A AND (B OR C)"),
        ("(A or B) and C", "(A OR B) AND C"),
        ("A AND B OR C", "(A AND B) OR C"),
        ("A_or_B", "A OR B"),
        ("A with X exception or B", "A/X exception OR B"),
        ("A with X exception, and B with Y exception", "A/X exception AND B/Y exception"),
        ("A 2 or later", "A 2 or later"),
        ("A 2 or any later version or B", "A 2 or any later version OR B"),
        ("A (3 clause) and B", "A (3 clause) AND B"),
        ("A and A", "A"),
    ],
)
def test_a_synopsis_is_read_with_the_precedence_of_the_format(text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize("text", ["", "and", "A and", "(A", "A)", "A or or B", "()", "A (b", "(" * 40 + "A" + ")" * 40])
def test_a_synopsis_without_grammar_is_refused(text: str) -> None:
    with pytest.raises(synopsis.SynopsisError):
        reading(text)


def test_a_synopsis_of_endless_words_is_refused() -> None:
    with pytest.raises(synopsis.SynopsisError, match="words"):
        reading("A and " * 2000 + "A")


NAMES = [
    "GPL-2+",
    "GPL-3",
    "LGPL-2.1+",
    "AGPL-3+",
    "MPL-2.0",
    "Expat",
    "BSD-3-clause",
    "Perl",
    "foo",
    "GPL-2+-odd",
    "MIT",
]
PIECES = [
    *NAMES,
    "and",
    "or",
    "and/or",
    ",",
    "|",
    "&",
    "(",
    ")",
    "with",
    "X exception",
    "_or_",
    "later",
    "\t",
    "é",
    '"',
]
SYNOPSES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map(" ".join)


def header(line: str) -> str:
    return f"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: {line}\n"


@settings(max_examples=400, deadline=None)
@given(SYNOPSES)
def test_no_synopsis_breaks_the_resolver_or_loses_copyleft(line: str) -> None:
    finding = resolve_copyright(header(line).encode(), "copyright")
    node = parse(finding.expression)
    assert str(LICENSING.parse(finding.expression)) is not None
    ids = {licence.id for licence in licences(node)}
    for family in ("AGPL", "LGPL", "GPL", "MPL"):
        words = line.replace("_or_", " ").replace(",", " ").split()
        if any(word.strip("()|&").startswith(family + "-") for word in words):
            kept = any(entry.copyleft for entry in finding.extracted)
            assert any(name.startswith(family + "-") for name in ids) or kept
    for name in ids:
        if name.startswith("LicenseRef-"):
            assert name in {entry.id for entry in finding.extracted}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_a_finding_that_parses(text: str) -> None:
    for finding in (
        resolve_copyright(header(text).encode("utf-8", "replace"), "copyright"),
        resolve_copyright(text.encode("utf-8", "replace"), "copyright"),
        resolve_recipe(text, lambda name: ""),
    ):
        parse(finding.expression)
        LICENSING.parse(finding.expression)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_finding_that_parses(data: bytes) -> None:
    parse(resolve_copyright(data, "copyright").expression)
