# SPDX-License-Identifier: MIT
"""Recognising licence texts word for word."""

from pathlib import Path

import pytest

from orchestrator.sbom import exceptions, known_texts, spdxlist, texts

COMMON = Path("/usr/share/common-licenses")


@pytest.mark.parametrize("position", range(len(known_texts.LICENCES)))
def test_every_known_text_is_recognised_as_itself_alone(position: int) -> None:
    listed, template = known_texts.LICENCES[position]
    text = template.replace("<?", " ").replace("?>", " ")
    for count in range(1, 30):
        text = text.replace(f"<{count}>", " ")
    found = texts.recognise("Copyright 2020 Ada Example\n\n" + text)
    assert [licence.id for licence in found.licences] == [listed]
    assert found.complete


def test_comment_signs_and_line_breaks_do_not_matter() -> None:
    text = "/* Copying and distribution of this file, with or without\n * modification, are permitted in any medium\n"
    text += " * without royalty provided the copyright notice and this\n * notice are preserved. */\n"
    found = texts.recognise(text)
    assert [licence.id for licence in found.licences] == ["FSFAP"]
    assert found.complete


def test_a_heading_over_its_own_text_adds_nothing() -> None:
    assert texts.recognise("MIT License\n\nCopyright (c) 2020 Ada\n" + dict(known_texts.LICENCES)["MIT"]).complete
    assert not texts.recognise("ISC License\n\nCopyright (c) 2020 Ada\n" + dict(known_texts.LICENCES)["MIT"]).complete


def test_a_condition_beside_a_known_text_makes_it_incomplete() -> None:
    text = known_texts.LICENCES[-1][1] + " Commercial use is prohibited."
    assert not texts.recognise(text).complete


def test_a_text_without_any_licence_is_not_complete() -> None:
    found = texts.recognise("Hello.")
    assert found.licences == ()
    assert not found.complete


def test_a_grant_without_a_certain_version_is_kept_and_incomplete() -> None:
    found = texts.recognise(
        "You can redistribute it and/or modify it under the terms of the GNU General Public License as published by"
        " the Free Software Foundation under the second version."
    )
    assert [licence.id for licence in found.licences] == ["GPL-1.0-or-later"]
    assert not found.complete


@pytest.mark.skipif(not COMMON.is_dir(), reason="only Debian hosts have the common licences")
def test_a_whole_licence_is_known_by_its_hash() -> None:
    found = texts.recognise((COMMON / "Apache-2.0").read_text(encoding="utf-8"))
    assert [licence.id for licence in found.licences] == ["Apache-2.0"]
    assert found.complete


def test_every_identifier_that_a_text_can_give_is_on_the_list() -> None:
    assert {listed for listed, _ in known_texts.LICENCES} <= spdxlist.LICENCES
    assert {listed for _, listed, _ in exceptions._KNOWN} <= spdxlist.EXCEPTIONS
    assert {name for name, *_ in known_texts.FULL_TEXTS} <= set(texts._REFERENCES)


@pytest.mark.parametrize("text", ["the GNU GPL", "GPLv2", "Mozilla Public License", "share-alike", "LGPL"])
def test_a_mention_of_copyleft_is_seen(text: str) -> None:
    assert texts.mentions_copyleft(f"as in {text}, so here")


def test_a_permissive_text_mentions_no_copyleft() -> None:
    assert not texts.mentions_copyleft(dict(known_texts.LICENCES)["MIT"])
