# SPDX-License-Identifier: MIT
"""What package databases and languages' packages declare, each in its own dialect."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.sbom import deprecated, spdxlist
from orchestrator.sbom.declared import Dialect, npm_statement, resolve_declared, resolve_python
from orchestrator.sbom.expression import licences, parse
from orchestrator.sbom.resolver import resolve_copyright


@pytest.mark.parametrize(
    ("dialect", "statement", "expected"),
    [
        ("rpm", "GPLv2+ and (MIT or ASL 2.0)", "GPL-2.0-or-later AND (MIT OR Apache-2.0)"),
        ("rpm", "LGPLv2+", "LGPL-2.0-or-later"),
        ("rpm", "GPL+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        ("rpm", "BSD with advertising", "BSD-4-Clause"),
        ("rpm", "MPLv2.0 and Boost", "MPL-2.0 AND BSL-1.0"),
        ("rpm", "LGPL-2.1-or-later WITH GCC-exception-2.0 AND 0BSD", None),
        ("apk", "GPL-2.0-only", "GPL-2.0-only"),
        ("apk", "MIT BSD-3-Clause GPL2+", "MIT AND BSD-3-Clause AND GPL-2.0-or-later"),
        ("apk", "GPL-2.0-or-later OR MIT", "GPL-2.0-or-later OR MIT"),
        ("opkg", "GPL-2.0-only & LGPL-2.1-or-later", "GPL-2.0-only AND LGPL-2.1-or-later"),
        ("bitbake", "GPLv2 & (MIT | BSD-3-Clause)", "GPL-2.0-only AND (MIT OR BSD-3-Clause)"),
        ("npm", "(MIT OR Apache-2.0)", "MIT OR Apache-2.0"),
        ("npm", "GPL-3.0", "GPL-3.0-only"),
        ("spdx", "LGPL-2.1+", "LGPL-2.1-or-later"),
        ("spdx", "GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ],
)
def test_a_dialect_is_read_as_its_users_mean_it(dialect: Dialect, statement: str, expected: str | None) -> None:
    assert resolve_declared(statement, dialect).expression == (expected or str(parse(statement)))


def test_nothing_said_declares_nothing_and_says_so() -> None:
    for statement in ("", " ", "NOASSERTION", "UNKNOWN"):
        found = resolve_declared(statement, "rpm")
        assert (found.expression, len(found.notes)) == ("", 1)


def test_public_domain_has_scancodes_key_and_an_id_from_its_text() -> None:
    one = resolve_declared("Public Domain", "rpm").extracted[0]
    other = resolve_declared("Public Domain", "rpm", lambda name: "Nobody owns this.").extracted[0]
    assert one.id.startswith("LicenseRef-scancode-public-domain-")
    assert one.id != other.id


def test_exceptions_that_fedora_did_not_name_are_kept_beside_the_licence() -> None:
    found = resolve_declared("GPLv3+ with exceptions", "rpm")
    assert found.expression.startswith("GPL-3.0-or-later AND LicenseRef-GPLv3-with-exceptions-")


def test_npms_word_for_no_licence_is_not_the_unlicense() -> None:
    found = resolve_declared("UNLICENSED", "npm")
    assert found.expression.startswith("LicenseRef-scancode-proprietary-license-")


def test_npm_may_point_at_a_file() -> None:
    grant = "This is free software; you can redistribute it under the AGPL-3.0-only."
    found = resolve_declared("SEE LICENSE IN LICENSE.txt", "npm", lambda name: grant if name == "LICENSE.txt" else "")
    assert found.extracted[0].text == grant
    assert found.extracted[0].copyleft


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("MIT", "MIT"),
        ({"type": "ISC", "url": "x"}, "ISC"),
        ([{"type": "MIT"}, {"type": "GPL-2.0"}], "MIT OR GPL-2.0"),
        (["MIT", "Apache 2.0"], "MIT OR (Apache 2.0)"),
        ([[["MIT"]]], ""),
        (None, ""),
        (7, ""),
    ],
)
def test_npms_older_forms_are_alternatives(value: object, expected: str) -> None:
    assert npm_statement(value) == expected


@pytest.mark.parametrize(
    ("expression", "licence", "classifiers", "expected"),
    [
        ("MIT OR Apache-2.0", "BSD", (), "MIT OR Apache-2.0"),
        ("", "MIT", ("License :: OSI Approved :: MIT License",), "MIT"),
        ("", "", ("License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)",), "MPL-2.0"),
        ("", "BSD-3-Clause", ("License :: OSI Approved", "Programming Language :: Python"), "BSD-3-Clause"),
        (
            "",
            "MIT",
            ("License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)",),
            "MIT AND GPL-3.0-or-later",
        ),
        ("", "", (), ""),
    ],
)
def test_python_metadata_loses_no_statement(
    expression: str, licence: str, classifiers: tuple[str, ...], expected: str
) -> None:
    assert resolve_python(expression, licence, classifiers).expression == expected


def test_python_metadata_may_hold_the_whole_text() -> None:
    text = "The thing licence\n\nUse it under the MPL-2.0 or not at all.\n"
    found = resolve_python("", text, ())
    assert found.expression.startswith("LicenseRef-license-")
    assert found.extracted[0].copyleft
    assert found.extracted[0].text == text


def test_every_deprecated_identifier_has_a_current_successor_or_stays() -> None:
    for name in sorted(spdxlist.DEPRECATED):
        node = deprecated.replaced(parse(name))
        current = {licence.id for licence in licences(node)} <= spdxlist.LICENCES
        assert current or str(node) == name
    for name, successor in deprecated.SUCCESSORS.items():
        assert name in spdxlist.DEPRECATED or name.startswith(("GPL", "LGPL", "AGPL", "GFDL"))
        assert parse(str(successor)) == successor


COPYLEFT = sorted(name for name in spdxlist.COPYLEFT & spdxlist.LICENCES if any(c.isdigit() for c in name))
AROUND = st.sampled_from(["", "(", "see ", "MIT AND ", "MIT and ", "Expat, ", "use the ", "\n", '"', "licence: "])
AFTER = st.sampled_from(["", ")", ".", ", or so", " or MIT", " OR MIT", ";", " with an exception", '"', "+", "\nmore"])
DIALECTS = st.sampled_from(["apk", "bitbake", "npm", "opkg", "python", "rpm", "spdx"])


def kept(name: str, finding: object) -> bool:
    ids = {licence.id for licence in licences(parse(finding.expression))}  # type: ignore[attr-defined]
    family = name.split("-")[0]
    texts = any(entry.copyleft and name in entry.text + entry.name for entry in finding.extracted)  # type: ignore[attr-defined]
    return texts or any(entry.removesuffix("+").split("-")[0] == family for entry in ids)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(COPYLEFT), AROUND, AFTER, DIALECTS)
def test_a_copyleft_licence_is_never_lost_from_a_statement(name: str, before: str, after: str, dialect: str) -> None:
    assert kept(name, resolve_declared(before + name + after, dialect))  # type: ignore[arg-type]


HEAD = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
FORMS = [
    "{}",
    HEAD + "\nFiles: *\nLicense: {}\n",
    HEAD + "\nFiles: *\nLicense: Expat\n {}\n",
    HEAD + "\nFiles: *\nLicense: foo\n {}\n",
    HEAD + "\nFiles: *\nLicense: MIT\nComment: {}\n",
    HEAD + "Licence: {}\n\nFiles: *\nLicense: ISC\n",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(COPYLEFT), AROUND, AFTER, st.sampled_from(FORMS))
def test_a_copyleft_licence_is_never_lost_from_a_copyright_file(name: str, before: str, after: str, form: str) -> None:
    data = form.format((before + name + after).replace("\n", " ")).encode()
    assert kept(name, resolve_copyright(data, "copyright"))
