# SPDX-License-Identifier: MIT
"""References name a registry, a repository, and a tag or a digest; anything else is refused with what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.registry import Reference, Repository, parse_reference, parse_repository

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example/web", Reference(Repository("registry.example", "web"), "latest")),
        ("docker://registry.example/a/b-c/d__e:1.2", Reference(Repository("registry.example", "a/b-c/d__e"), "1.2")),
        ("localhost:5000/web:T", Reference(Repository("localhost:5000", "web"), "T")),
        ("localhost/web", Reference(Repository("localhost", "web"), "latest")),
        ("[::1]:5000/web:1", Reference(Repository("[::1]:5000", "web"), "1")),
        ("Registry.Example/web:1", Reference(Repository("registry.example", "web"), "1")),
        (f"r.example/web@{DIGEST}", Reference(Repository("r.example", "web"), None, DIGEST)),
        (f"r.example/web:1@{DIGEST}", Reference(Repository("r.example", "web"), "1", DIGEST)),
    ],
)
def test_a_reference_is_read_as_the_field_reads_it(text: str, expected: Reference):
    assert parse_reference(text) == expected


@pytest.mark.parametrize("text", ["alpine", "alpine:3.20", "library/alpine", f"web@{DIGEST}", "docker://debian"])
def test_a_name_without_a_registry_is_refused_with_a_hint(text: str):
    with pytest.raises(ConfigError) as caught:
        parse_reference(text)
    assert "names no registry" in caught.value.what
    assert "registry.example/" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docker://",
        "r.example/",
        "r.example/web:",
        "r.example/web:-x",
        "r.example/web:" + "x" * 129,
        "r.example/Web",
        "r.example/a//b",
        "r.example/../b",
        "r.example/a b",
        "r.example/web@sha256:abc",
        "r.example/web@sha512:" + "a" * 128,
        "r.example/web@",
        "r.example:0/web",
        "r.example:99999/web",
        "r.example:5000x/web",
        "-r.example/web",
        "user:secret@r.example/web",
        "https://r.example/web",
        "[::zz]:5000/web",
        "r.example/" + "a" * 256,
        "r.example/web\n",
        f"r.example/web@{DIGEST}\n",
    ],
)
def test_what_is_out_of_form_is_refused(text: str):
    with pytest.raises(ConfigError):
        parse_reference(text)


@given(st.text(max_size=80) | st.text(alphabet="ab:/@.-_[]0", max_size=40))
def test_whatever_is_accepted_means_the_same_when_written_out(text: str):
    try:
        found = parse_reference(text)
    except ConfigError:
        return
    assert parse_reference(str(found)) == found
    assert parse_repository(str(found.repository)) == found.repository


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:1", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_counts_as_loopback(host: str, loopback: bool):
    assert Repository(host, "web").loopback is loopback
