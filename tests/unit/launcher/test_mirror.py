# SPDX-License-Identifier: MIT
"""Which Debian mirror is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_debian import mirror
from pycontainer_debian.mirror import MirrorError, Mirrors, mirrors

DEB822 = """\
Types: deb-src
URIs: http://source.example/debian
Suites: trixie
Components: main

# a comment
Types: deb
# another
URIs: https://first.example/debian/
 http://second.example/debian
Suites: trixie trixie-updates
Components: main contrib

Types: deb
URIs: http://first.example/debian-security
Suites: trixie-security
Components: main
"""


@pytest.fixture
def apt(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_the_deb822_sources_of_apt_give_both_mirrors(apt):
    (apt / "sources.list.d/debian.sources").write_text(DEB822)
    assert mirrors({}, apt) == Mirrors("https://first.example/debian", "http://first.example/debian-security")


def test_the_one_line_sources_of_apt_give_both_mirrors(apt):
    (apt / "sources.list").write_text(
        "# deb http://old.example/debian trixie main\n"
        "deb-src http://source.example/debian trixie main\n"
        "deb cdrom:[Debian]/ trixie main\n"
        "deb file:/mnt/debian trixie main\n"
        "deb http://contrib.example/debian trixie contrib\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://a.example/debian trixie main # main\n"
    )
    (apt / "sources.list.d/security.list").write_text("deb\thttp://s.example/debian-security trixie-security main\n")
    assert mirrors({}, apt) == Mirrors("http://a.example/debian", "http://s.example/debian-security")


def test_without_a_security_source_its_mirror_is_beside_the_main_one(apt):
    (apt / "sources.list").write_text("deb http://a.example/pub/debian/ trixie main\n")
    assert mirrors({}, apt) == Mirrors("http://a.example/pub/debian", "http://a.example/pub/debian-security")


@pytest.mark.parametrize(
    "text",
    [DEB822.replace("Types: deb\n", "Enabled: no\nTypes: deb\n"), "deb http://x/ubuntu noble main\n", "\0\xff", ""],
)
def test_a_machine_without_a_debian_source_is_told_what_to_set(apt, text):
    (apt / "sources.list.d/a.sources").write_text(text)
    (apt / "sources.list").write_text(text)
    with pytest.raises(MirrorError, match="PYCONTAINER_DEBIAN_MIRROR"):
        mirrors({}, apt)


def test_the_asked_mirror_goes_before_the_found_one_and_that_before_apt(apt):
    (apt / "sources.list").write_text("deb http://apt.example/debian trixie main\n")
    found = {"DEBIAN_MIRROR": "http://found/debian", "DEBIAN_SECURITY_MIRROR": "http://found-s/debian-security"}
    assert mirrors(found, apt) == Mirrors("http://found/debian", "http://found-s/debian-security")
    asked = {"PYCONTAINER_DEBIAN_MIRROR": "http://asked/debian/"}
    assert mirrors(found | asked, apt) == Mirrors("http://asked/debian", "http://asked/debian-security")
    asked["PYCONTAINER_DEBIAN_SECURITY_MIRROR"] = "http://other/sec"
    assert mirrors(found | asked, apt) == Mirrors("http://asked/debian", "http://other/sec")


def test_a_security_mirror_that_cannot_be_derived_must_be_given(apt):
    with pytest.raises(MirrorError, match="PYCONTAINER_DEBIAN_SECURITY_MIRROR"):
        mirrors({"PYCONTAINER_DEBIAN_MIRROR": "http://snap/archive/20250101"}, apt)


@pytest.mark.parametrize(
    "uri", ["ftp://x/debian", "/srv/debian", "http://x/debian http://y/debian", "http://x/\ndebian"]
)
def test_what_is_no_http_url_is_refused(apt, uri):
    with pytest.raises(MirrorError):
        mirrors({"PYCONTAINER_DEBIAN_MIRROR": uri}, apt)


@given(st.text(max_size=200))
def test_any_text_in_a_source_file_is_survived(text):
    list(mirror._one_line_style(text))
    list(mirror._one_line_style("deb " + text))
    list(mirror._deb822_style(text))


def test_a_password_in_a_mirrors_address_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(MirrorError) as caught:
        mirrors({"PYCONTAINER_DEBIAN_MIRROR": "https://me:secret@mirror.example/debian"}, tmp_path)
    assert "secret" not in str(caught.value)
    assert ".netrc" in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "what"),
    [
        ({"PYCONTAINER_DEBIAN_MIRROR": "bogus"}, "PYCONTAINER_DEBIAN_MIRROR='bogus' is not an http or https URL"),
        ({"PYCONTAINER_DEBIAN_MIRROR": "http://h/other"}, "the security mirror of http://h/other is unknown"),
        ({"PYCONTAINER_DEBIAN_MIRROR": "http://u:p@h/debian"}, "has a user or password"),
        ({}, "no Debian mirror is known"),
    ],
)
def test_a_mirror_that_cannot_be_is_refused_in_three_lines(tmp_path: Path, environ: dict[str, str], what: str):
    with pytest.raises(MirrorError) as caught:
        mirrors(environ, tmp_path)
    lines = str(caught.value).split("\n")
    assert what in lines[0]
    assert [line.strip().partition(":")[0] for line in lines[1:]] == ["why", "do"]
