# SPDX-License-Identifier: MIT
"""registries.conf says where images really lie: the longest prefix, mirrors in order, and what is blocked."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.registry import Places, Reference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def configured(environment: dict[str, str]):
    def write(text: str) -> Places:
        Path(environment["CONTAINERS_REGISTRIES_CONF"]).write_text(text)
        return Places.load(environment)

    return write


def pulled(places: Places, text: str) -> list[tuple[str, bool]]:
    return [(str(place.repository), place.insecure) for place in places.to_pull(parse_reference(text))]


MANUAL = """
unqualified-search-registries = ["example.com"]
[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal.example/bar"
[[registry.mirror]]
location = "mirror-0.example/mirror-for-foo"
[[registry.mirror]]
location = "mirror-1.example/mirrors/foo"
insecure = true
[[registry]]
location = "registry.com"
[[registry.mirror]]
location = "mirror.registry.com"
"""


def test_the_example_of_the_manual_page_means_what_it_says(configured):
    places = configured(MANUAL)
    assert pulled(places, "example.com/foo/image:latest") == [
        ("mirror-0.example/mirror-for-foo/image", False),
        ("mirror-1.example/mirrors/foo/image", True),
        ("internal.example/bar/image", False),
    ]
    assert pulled(places, "registry.com/image") == [("mirror.registry.com/image", False), ("registry.com/image", False)]
    assert pulled(places, "example.com/food/image") == [("example.com/food/image", False)]
    assert pulled(places, "example.com/image") == [("example.com/image", False)]


def test_writing_goes_to_the_registry_and_not_to_a_mirror(configured):
    place = configured(MANUAL).to_push(parse_reference("example.com/foo/image").repository)
    assert str(place.repository) == "internal.example/bar/image"


def test_the_longest_prefix_counts(configured):
    places = configured(
        '[[registry]]\nlocation="r.example"\ninsecure=true\n'
        '[[registry]]\nprefix="r.example/shop"\nlocation="s.example/x"\n'
        '[[registry]]\nprefix="*.example"\nlocation=""\nblocked=true\n'
    )
    assert pulled(places, "r.example/web") == [("r.example/web", True)]
    assert pulled(places, "r.example/shop/web") == [("s.example/x/web", False)]
    with pytest.raises(ConfigError, match="blocked"):
        pulled(places, "other.example/web")


def test_a_wildcard_changes_settings_and_no_names(configured):
    places = configured('[[registry]]\nprefix="*.corp.example"\ninsecure=true\n')
    assert pulled(places, "a.b.corp.example/web") == [("a.b.corp.example/web", True)]
    assert pulled(places, "corp.example/web") == [("corp.example/web", False)]


@pytest.mark.parametrize(
    ("only", "tagged", "pinned"),
    [
        ("", 2, 2),
        ('pull-from-mirror = "digest-only"', 1, 2),
        ('pull-from-mirror = "tag-only"', 2, 1),
        ('pull-from-mirror = "all"', 2, 2),
    ],
)
def test_a_mirror_may_be_for_digests_or_for_tags_only(configured, only: str, tagged: int, pinned: int):
    places = configured(f'[[registry]]\nlocation="r.example"\n[[registry.mirror]]\nlocation="m.example"\n{only}\n')
    assert len(pulled(places, "r.example/web:1")) == tagged
    assert len(pulled(places, f"r.example/web@{DIGEST}")) == pinned


def test_mirror_by_digest_only_is_for_all_mirrors(configured):
    text = '[[registry]]\nlocation="r.example"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="m.example"\n'
    assert len(pulled(configured(text), "r.example/web:1")) == 1
    assert len(pulled(configured(text), f"r.example/web@{DIGEST}")) == 2


def test_a_users_file_replaces_the_systems_and_drop_ins_replace_entries(environment: dict[str, str]):
    del environment["CONTAINERS_REGISTRIES_CONF"]
    folder = Path(environment["HOME"]) / ".config" / "containers"
    (folder / "registries.conf.d").mkdir(parents=True)
    (folder / "registries.conf").write_text('[[registry]]\nlocation="r.example"\ninsecure=true\n')
    assert pulled(Places.load(environment), "r.example/web") == [("r.example/web", True)]
    (folder / "registries.conf.d" / "10.conf").write_text('[[registry]]\nprefix="r.example"\nlocation="s.example"\n')
    (folder / "registries.conf.d" / "ignored.txt").write_text("nonsense")
    assert pulled(Places.load(environment), "r.example/web") == [("s.example/web", False)]


@pytest.mark.parametrize(
    "text",
    [
        "[[registry",
        "[[registry]]\n",
        "[[registry]]\nlocation=1\n",
        '[[registry]]\nprefix="*.example/x"\n',
        '[registries.search]\nregistries = ["a"]\n',
        '[[registry]]\nlocation="r.example"\n[[registry.mirror]]\nlocation="m"\npull-from-mirror="sometimes"\n',
        "\x00",
    ],
)
def test_a_damaged_file_is_named(configured, environment: dict[str, str], text: str):
    with pytest.raises(ConfigError) as caught:
        configured(text)
    assert environment["CONTAINERS_REGISTRIES_CONF"] in caught.value.what


def test_a_location_that_is_no_place_is_refused_when_it_is_used(configured):
    places = configured('[[registry]]\nprefix="r.example"\nlocation="not a host"\n')
    assert pulled(places, "s.example/web")
    with pytest.raises(ConfigError):
        places.to_pull(Reference(parse_reference("r.example/web").repository, "1"))


@pytest.mark.parametrize(
    ("reference", "where"),
    [
        ("docker.io/nginx:1.27", "registry-1.docker.io/library/nginx"),
        ("index.docker.io/shop/web", "registry-1.docker.io/shop/web"),
        ("registry-1.docker.io/nginx", "registry-1.docker.io/library/nginx"),
    ],
)
def test_docker_hub_is_asked_where_it_answers(configured, reference: str, where: str):
    places = configured("")
    assert pulled(places, reference) == [(where, False)]
    assert str(places.to_push(parse_reference(reference).repository).repository) == where


def test_a_mirror_of_docker_hub_is_asked_before_it(configured):
    places = configured('[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "mirror.example/hub"\n')
    assert pulled(places, "docker.io/library/nginx") == [
        ("mirror.example/hub/library/nginx", False),
        ("registry-1.docker.io/library/nginx", False),
    ]
