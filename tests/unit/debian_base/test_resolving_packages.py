# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from debian_make import Universe, package
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_debian.errors import DebianError
from pycontainer_debian.relation import Atom, parse_relations
from pycontainer_debian.resolve import Request, resolve


def names(universe: Universe, packages: str, exclude: str = "", essential: bool = False) -> list[str]:
    return [p.name for p in resolve(universe, Request.of("amd64", packages, exclude, essential))]


def test_dependencies_and_pre_dependencies_follow() -> None:
    universe = Universe(package("app", depends="lib (>= 1)"), package("lib", pre_depends="base"), package("base"))
    assert names(universe, "app") == ["app", "base", "lib"]


def test_the_first_alternative_that_exists_is_taken() -> None:
    assert names(
        Universe(package("app", depends="gone | second | third"), package("second"), package("third")), "app"
    ) == [
        "app",
        "second",
    ]


def test_an_alternative_that_is_already_there_is_preferred() -> None:
    universe = Universe(package("app", depends="first | second"), package("first"), package("second"))
    assert names(universe, "app second") == ["app", "second"]


def test_a_virtual_package_is_provided() -> None:
    assert names(Universe(package("app", depends="awk"), package("mawk", provides="awk")), "app") == ["app", "mawk"]


def test_an_unversioned_provides_fulfils_no_versioned_relation() -> None:
    universe = Universe(package("app", depends="api (>= 2)"), package("impl", provides="api"))
    with pytest.raises(DebianError, match=r"api \(>= 2\)"):
        names(universe, "app")


def test_a_versioned_provides_fulfils_a_versioned_relation() -> None:
    universe = Universe(package("app", depends="api (>= 2)"), package("impl", "9", provides="api (= 2.1)"))
    assert names(universe, "app") == ["app", "impl"]


def test_a_version_that_is_too_old_is_an_error_with_the_chain() -> None:
    universe = Universe(package("top", depends="mid"), package("mid", depends="low (>= 2)"), package("low", "1"))
    with pytest.raises(DebianError) as caught:
        names(universe, "top")
    assert "mid <- top" in caught.value.why


def test_an_excluded_package_counts_as_present() -> None:
    universe = Universe(package("app", depends="init | other"), package("init"), package("other"))
    assert names(universe, "app", exclude="init") == ["app"]


def test_a_conflict_among_the_chosen_is_an_error_that_names_both() -> None:
    universe = Universe(package("aa", depends="bb"), package("bb", conflicts="cc"), package("cc"))
    with pytest.raises(DebianError, match="bb 1 conflicts with cc 1"):
        names(universe, "aa cc")


def test_a_package_may_conflict_with_the_name_that_it_provides_itself() -> None:
    universe = Universe(package("mta", provides="mail", conflicts="mail"))
    assert names(universe, "mta") == ["mta"]


def test_breaks_with_a_version_leaves_newer_ones_alone() -> None:
    universe = Universe(package("aa", breaks="bb (<< 2)"), package("bb", "2"))
    assert names(universe, "aa bb") == ["aa", "bb"]


def test_essential_packages_come_only_when_asked_for() -> None:
    universe = Universe(package("dash", essential=True), package("app"))
    assert names(universe, "app") == ["app"]
    assert names(universe, "app", essential=True) == ["app", "dash"]


def test_an_unknown_name_is_an_error_that_tells_the_architecture() -> None:
    with pytest.raises(DebianError, match="no package nosuch for amd64"):
        names(Universe(), "nosuch")


def test_a_circle_of_dependencies_ends() -> None:
    assert names(Universe(package("aa", depends="bb"), package("bb", depends="aa")), "aa") == ["aa", "bb"]


def test_a_request_is_the_same_in_any_order_and_with_repeats() -> None:
    assert Request.of("amd64", "b a  b", "y x") == Request.of("amd64", "a b", "x y y")


@pytest.mark.parametrize("text", ["a (>> )", "a (1)", "A", "a b", "a (>= 1", "a | ", "a;b"])
def test_a_malformed_relation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="relation"):
        parse_relations(text)


def test_a_relation_with_a_qualifier_and_line_breaks_is_read() -> None:
    assert parse_relations("python3:any (>= 3.1),\n bb | cc") == (
        (Atom("python3", ">=", "3.1"),),
        (Atom("bb"), Atom("cc")),
    )


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        for group in parse_relations(text):
            assert group
    except ValueError:
        pass
