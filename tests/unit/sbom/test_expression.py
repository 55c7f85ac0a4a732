# SPDX-License-Identifier: MIT
"""SPDX expressions, against license-expression as an independent reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from license_expression import get_license_index, get_spdx_licensing

from orchestrator.sbom import spdxlist
from orchestrator.sbom.expression import ExpressionError, Licence, Node, all_of, any_of, is_copyleft, licences, parse

LICENSING = get_spdx_licensing()
LEAVES = st.sampled_from(
    [Licence("MIT"), Licence("GPL-2.0-only"), Licence("LicenseRef-a-1"), Licence("GPL-2.0-only", "Linux-syscall-note")]
)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda join, terms: join(terms), st.sampled_from([all_of, any_of]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(NODES)
def test_what_is_written_reads_back_equal_here_and_elsewhere(node: Node) -> None:
    assert parse(str(node)) == node
    found = {licence.id for licence in licences(node)}
    symbols = LICENSING.license_keys(str(node))
    assert found <= set(symbols) | {"LicenseRef-a-1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mit",
        "MIT AND",
        "MIT and MIT",
        "(MIT",
        "MIT)",
        "MIT GPL-2.0-only",
        "Nonsense-1.0",
        "LicenseRef-",
        "LicenseRef-a_b",
        "MIT WITH MIT",
        "NOASSERTION",
        "MIT; rm",
        "(" * 50 + "MIT" + ")" * 50,
        "MIT AND " * 20000 + "MIT",
    ],
)
def test_a_bad_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_terms_are_deduplicated_but_never_simplified() -> None:
    mit, gpl = Licence("MIT"), Licence("GPL-2.0-only")
    assert str(all_of([mit, any_of([mit, gpl]), mit])) == "MIT AND (MIT OR GPL-2.0-only)"


def test_every_copyleft_licence_known_elsewhere_is_copyleft_here() -> None:
    for entry in get_license_index():
        key = entry.get("spdx_license_key") or ""
        if str(entry.get("category")).startswith("Copyleft") and key in spdxlist.LICENCES:
            assert is_copyleft(Licence(key)), key
    for permissive in ("MIT", "BSD-3-Clause", "Apache-2.0", "ISC", "Zlib"):
        assert not is_copyleft(Licence(permissive))


def test_the_pinned_list_is_plausible() -> None:
    major, minor = spdxlist.VERSION.split(".")
    assert major.isdigit() and minor.isdigit()
    assert len(spdxlist.LICENCES) > 600
    assert not spdxlist.LICENCES & spdxlist.DEPRECATED
    assert spdxlist.COPYLEFT <= spdxlist.LICENCES | spdxlist.DEPRECATED
