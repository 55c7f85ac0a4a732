# SPDX-License-Identifier: MIT
"""Short names and what they stand for."""

import pytest

from orchestrator.sbom import names, spdxlist
from orchestrator.sbom.expression import licences


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GPL-2.0-or-later", "GPL-2.0-or-later"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL3", "GPL-3.0-only"),
        ("GPL version 2 or later", "GPL-2.0-or-later"),
        ("GNU General Public License v2 or later", "GPL-2.0-or-later"),
        ("GNU Lesser General Public License version 2.1", "LGPL-2.1-only"),
        ("LGPL-2+", "LGPL-2.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("LPGL-2.1+", "LGPL-2.1-or-later"),
        ("AGPL-3", "AGPL-3.0-only"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("GFDL-1.3+-no-invariant", "GFDL-1.3-no-invariants-or-later"),
        ("GFDL-1.2", "GFDL-1.2-only"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("BSD (3 clause)", "BSD-3-Clause"),
        ("Artistic", "Artistic-1.0-Perl"),
        ("Perl", "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        ("Apache-2", "Apache-2.0"),
        ("Apache-2.0+", "Apache-2.0"),
        ("zlib", "Zlib"),
        ("CC0", "CC0-1.0"),
    ],
)
def test_a_known_short_name_means_one_listed_expression(name: str, expected: str) -> None:
    found = names.meaning(name)
    assert found is not None
    assert not found.vague
    assert str(found.node) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("GPL", "GPL-1.0-or-later"), ("LGPL", "LGPL-2.0-or-later"), ("MIT", "MIT"), ("X11", "X11")]
)
def test_a_name_of_several_texts_is_vague(name: str, expected: str) -> None:
    found = names.meaning(name)
    assert found is not None
    assert found.vague
    assert str(found.node) == expected


@pytest.mark.parametrize(
    "name", ["public-domain", "permissive", "GPL-7", "LGPL-4+", "BSL", "GPL-2+-openssl", "Apache-3.0", "MIT-ish", ""]
)
def test_a_name_that_is_not_certain_means_nothing(name: str) -> None:
    assert names.meaning(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GPL-2+-openssl", {"GPL-2.0-or-later"}),
        ("LGPLv3+ / GPLv2", {"LGPL-3.0-or-later", "GPL-2.0-only"}),
        ("GPL-7", {"GPL-1.0-or-later"}),
        ("DONT-CHANGE-THE-GPL", {"GPL-1.0-or-later"}),
        ("covered by the GNU Lesser General Public License, version 2.1", {"LGPL-2.1-only"}),
        ("permissive", set()),
    ],
)
def test_every_gnu_licence_inside_a_longer_name_is_seen(name: str, expected: set[str]) -> None:
    assert {licence.id for node in names.mentioned(name) for licence in licences(node)} == expected


def test_every_current_listed_identifier_means_itself_or_is_vague() -> None:
    for identifier in sorted(spdxlist.LICENCES):
        found = names.meaning(identifier)
        assert found is not None, identifier
        assert found.vague or str(found.node) == identifier, identifier


def test_every_alias_is_on_the_list() -> None:
    assert set(names._ALIASES.values()) <= spdxlist.LICENCES
