# SPDX-License-Identifier: MIT
"""USER is found in the image's own databases, or refused; it never turns into root by accident."""

from __future__ import annotations

import pytest

from orchestrator.errors import ConfigError
from orchestrator.layers.tree import Tree
from orchestrator.layers.users import User, resolve_user


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", User(0, 0, (), "/root")),
        ("root", User(0, 0, (), "/root")),
        ("www", User(33, 34, (50,), "/var/www")),
        ("33", User(33, 34, (50,), "/var/www")),
        ("www:log", User(33, 50, (), "/var/www")),
        ("www:77", User(33, 77, (), "/var/www")),
        ("4711", User(4711, 0)),
        ("4711:log", User(4711, 50)),
        ("4711:4712", User(4711, 4712)),
        ("www-data", User(35, 35)),
    ],
)
def test_users_by_name_and_number(image, text, expected):
    assert resolve_user(image, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "nobody",
        "ww",
        "www-",
        "WWW",
        "bad",
        "broken line",
        "+nis",
        "#",
        "www:nogroup",
        "www:",
        ":www",
        ":",
        "-1",
        "0x21",
        "4294967295",
        "99999999999",
        "www:4294967295",
        "３３",
    ],
)
def test_what_is_not_there_is_refused_and_never_root(image, text):
    with pytest.raises(ConfigError):
        resolve_user(image, text)


def test_the_error_names_who_is_there(image):
    with pytest.raises(ConfigError, match="root, www, www-data"):
        resolve_user(image, "nobody")


def test_extra_groups_are_added_by_name_or_number(image):
    assert resolve_user(image, "www", ("number", "99")).groups == (50, 52, 99)
    with pytest.raises(ConfigError, match="group 'video'"):
        resolve_user(image, "www", ("video",))


def test_an_image_without_databases_takes_numbers_only():
    assert resolve_user(Tree(), "") == User(0, 0)
    assert resolve_user(Tree(), "5:6") == User(5, 6)
    with pytest.raises(ConfigError, match="has: nothing"):
        resolve_user(Tree(), "root")
