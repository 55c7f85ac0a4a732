# SPDX-License-Identifier: MIT
"""From a copyright file to a declared licence with its evidence."""

import hashlib

import pytest

from orchestrator.sbom.model import LicenceFinding
from orchestrator.sbom.resolver import licence_ref, resolve_copyright, resolve_recipe

from .sample import DATA


def finding(name: str) -> LicenceFinding:
    return resolve_copyright((DATA / f"{name}.copyright").read_bytes(), f"usr/share/doc/{name}/copyright")


def text(name: str) -> str:
    return (DATA / f"{name}.copyright").read_text(encoding="utf-8")


def test_all_files_paragraphs_count_and_a_confirmed_exception_is_named() -> None:
    found = finding("perl-and-exception")
    assert found.tier == "dep5"
    assert found.expression == (
        "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND LGPL-2.1-or-later AND (GPL-2.0-or-later OR Artistic-2.0) AND MIT"
        " AND GPL-2.0-or-later WITH Libtool-exception"
    )
    assert found.extracted == ()
    assert found.holders[0] == "2001-2020 Ada Example <ada@example.com>"


def test_the_evidence_is_named_with_its_hash() -> None:
    data = (DATA / "plain-gpl.copyright").read_bytes()
    found = resolve_copyright(data, "usr/share/doc/x/copyright")
    assert found.evidence == "usr/share/doc/x/copyright"
    assert found.evidence_digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_an_exception_without_its_words_does_not_lessen_the_licence() -> None:
    data = text("perl-and-exception").replace("if you distribute this file as part", "if you feel like it as part")
    found = resolve_copyright(data.encode(), "copyright")
    assert "WITH" not in found.expression
    assert "GPL-2.0-or-later AND LicenseRef-GPL-2-with-Libtool-exception-" in found.expression
    assert any("No listed exception" in note for note in found.notes)


def test_unknown_names_keep_their_text_under_ids_that_never_collide() -> None:
    found = finding("unknown-names")
    texts = {entry.name: entry.text for entry in found.extracted}
    assert texts["permissive"].strip() == "Do what you like, but say who wrote it."
    assert texts["permissive'"].strip() == "Do what you like, but do not say who wrote it."
    assert len({entry.id for entry in found.extracted}) == len(found.extracted) == 4
    assert found.expression.startswith("GPL-2.0-or-later AND LicenseRef-GPL-2-with-Frobnicator-exception-")


def test_one_id_never_has_two_texts_and_one_text_never_two_ids_under_one_name() -> None:
    assert licence_ref("a", "text").id != licence_ref("a", "text ").id
    assert licence_ref("a", "text").id == licence_ref("a", "text").id
    assert licence_ref("", "text").id.startswith("LicenseRef-")


def test_a_vague_name_is_decided_by_its_text() -> None:
    found = finding("vague-names")
    assert found.expression.startswith("MIT AND BSD-3-Clause AND LicenseRef-X11-")


def test_a_permissive_name_over_a_text_of_copyleft_keeps_the_text() -> None:
    found = finding("permissive-name-copyleft-text")
    assert found.expression.startswith("BSD-2-Clause AND LicenseRef-")
    assert found.extracted[0].copyleft


def test_lines_outside_the_form_are_not_lost() -> None:
    found = finding("broken-form")
    assert found.expression.startswith("MIT AND GPL-1.0-or-later AND LicenseRef-copyright-file-")
    assert found.extracted[0].text == text("broken-form")
    assert len(found.notes) == 2


def test_a_licence_paragraph_that_no_files_name_still_counts() -> None:
    data = text("perl-and-exception") + "\nLicense: MPL-2.0\n As published by the Mozilla Foundation.\n"
    assert resolve_copyright(data.encode(), "copyright").expression.endswith(" AND MPL-2.0")


def test_a_field_that_the_form_does_not_know_is_not_lost() -> None:
    data = text("perl-and-exception") + "\nFiles: x\nLicense: Expat\nLicense-Grant:\n Distributed under the AGPL-3.\n"
    found = resolve_copyright(data.encode(), "copyright")
    assert "AGPL-3.0-only AND LicenseRef-copyright-file-" in found.expression


def test_a_comment_that_names_another_licence_is_kept() -> None:
    data = text("perl-and-exception").replace("License: LGPL-2.1+\n\n", "License: Expat\nComment: Once AGPL-3.\n\n", 1)
    found = resolve_copyright(data.encode(), "copyright")
    assert "LicenseRef-comment-" in found.expression
    assert found.extracted[0].copyleft


def test_a_plain_file_known_word_for_word_needs_no_licenseref() -> None:
    found = finding("plain-gpl")
    assert (found.expression, found.tier) == ("GPL-2.0-or-later", "common-licenses")
    assert found.holders == ("Copyright (C) 2004 Ada Example", "Copyright (C) 2005 Bob Example")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 of the License, or\n   (at your option) any later version", "2 of the License"),
        ("GNU General Public License as published", "GNU Lesser General Public License as published"),
        ("version 2 of", "version 3 of"),
    ],
)
def test_a_changed_word_in_a_grant_changes_the_licence(old: str, new: str) -> None:
    changed = text("plain-gpl").replace(old, new)
    assert changed != text("plain-gpl")
    found = resolve_copyright(changed.encode(), "copyright")
    assert found.expression.split(" AND ")[0] in ("GPL-2.0-only", "LGPL-2.0-or-later", "GPL-3.0-or-later")
    assert found.expression != "GPL-2.0-or-later"


def test_a_plain_file_that_says_more_is_kept_whole() -> None:
    found = finding("plain-mixed")
    assert found.expression.startswith("LGPL-2.1-only AND LicenseRef-copyright-file-")
    assert found.extracted[0].text == text("plain-mixed")


def test_an_old_encoding_is_read_and_said() -> None:
    found = finding("latin1")
    assert found.holders == ("Copyright (C) 1998 André Exemple",)
    assert found.notes[0].startswith("The file is not UTF-8")
    assert found.expression.startswith("Artistic-1.0-Perl AND LicenseRef-")


def test_prose_where_a_short_name_belongs_is_a_text() -> None:
    found = finding("prose-in-license")
    assert found.expression.startswith("LGPL-2.0-or-later AND LicenseRef-text-")
    assert "the tools are not" in found.extracted[0].text


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", "MIT"),
        ("GPL-2.0-only OR MIT", "GPL-2.0-only OR MIT"),
        ("GPL-2.0-only & (MIT | ISC)", "GPL-2.0-only AND (MIT OR ISC)"),
        ("GPLv2+ & LGPLv2.1", "GPL-2.0-or-later AND LGPL-2.1-only"),
    ],
)
def test_a_recipe_may_speak_spdx_or_bitbake(licence: str, expected: str) -> None:
    found = resolve_recipe(licence, lambda name: "")
    assert (found.expression, found.tier) == (expected, "recipe")


def test_a_recipes_own_licenseref_gets_its_text() -> None:
    found = resolve_recipe("MIT AND LicenseRef-vendor", lambda name: "the vendor's words")
    assert [(entry.id, entry.text) for entry in found.extracted] == [("LicenseRef-vendor", "the vendor's words")]
