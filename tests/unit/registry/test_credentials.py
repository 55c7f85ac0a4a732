# SPDX-License-Identifier: MIT
"""Credentials come from the files that login writes, by the longest prefix, or helpers; no secret is shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.registry import Repository
from orchestrator.registry.credentials import Credential, find_credential

SHOP = Repository("registry.example:5000", "shop/web")


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def helper(environment: dict[str, str], name: str, script: str) -> None:
    path = Path(environment["PATH"]) / f"docker-credential-{name}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def user(environment: dict[str, str], repository: Repository = SHOP) -> str | None:
    found = find_credential(repository, environment)
    return None if found is None else found.username


def test_without_files_one_is_anonymous(environment: dict[str, str]):
    assert user(environment) is None


def test_the_files_are_asked_in_the_order_of_the_manual_page(environment: dict[str, str], tmp_path: Path):
    home = Path(environment["HOME"])
    environment |= {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "DOCKER_CONFIG": str(tmp_path / "docker")}
    places = [
        home / ".docker" / "config.json",
        tmp_path / "docker" / "config.json",
        home / ".config" / "containers" / "auth.json",
        tmp_path / "run" / "containers" / "auth.json",
    ]
    for number, place in enumerate(places):
        write(place, {"auths": {"registry.example:5000": auth(f"user{number}", "x")}})
        assert user(environment) == f"user{number}"


def test_the_file_that_the_environment_names_is_the_only_one(environment: dict[str, str], tmp_path: Path):
    write(Path(environment["HOME"]) / ".docker" / "config.json", {"auths": {SHOP.host: auth("docker", "x")}})
    environment["REGISTRY_AUTH_FILE"] = str(tmp_path / "own.json")
    assert user(environment) is None
    write(tmp_path / "own.json", {"auths": {SHOP.host: auth("own", "x")}})
    assert user(environment) == "own"


@pytest.mark.parametrize(
    ("name", "expected"), [("shop/web", "web"), ("shop/web2", "shop"), ("shop", "shop"), ("shops/x", "all")]
)
def test_the_longest_prefix_counts_and_ends_at_a_slash(environment: dict[str, str], name: str, expected: str):
    keys = {
        "registry.example:5000": "all",
        "registry.example:5000/shop": "shop",
        "registry.example:5000/shop/web": "web",
    }
    write(
        Path(environment["HOME"]) / ".docker" / "config.json",
        {"auths": {key: auth(who, "x") for key, who in keys.items()}},
    )
    assert user(environment, Repository("registry.example:5000", name)) == expected
    assert user(environment, Repository("registry.example", name)) is None


def test_keys_as_docker_writes_them_are_understood(environment: dict[str, str]):
    keys = {"auths": {"https://registry.example:5000/v1/": auth("docker", "x")}}
    write(Path(environment["HOME"]) / ".docker" / "config.json", keys)
    assert user(environment) == "docker"


def test_a_password_may_have_colons_and_an_identity_token_needs_none(environment: dict[str, str]):
    file = Path(environment["HOME"]) / ".docker" / "config.json"
    write(file, {"auths": {SHOP.host: auth("me", "a:b:c")}})
    assert find_credential(SHOP, environment) == Credential("me", "a:b:c")
    write(file, {"auths": {SHOP.host: {**auth("me", ""), "identitytoken": "refresh"}}})
    assert find_credential(SHOP, environment) == Credential("me", "", "refresh")


def test_a_helper_goes_before_a_stored_password(environment: dict[str, str]):
    helper(environment, "vault", 'read key; echo "{\\"Username\\":\\"$key\\",\\"Secret\\":\\"s\\"}"')
    config = {"auths": {SHOP.host: auth("stored", "x")}, "credHelpers": {SHOP.host: "vault"}}
    write(Path(environment["HOME"]) / ".docker" / "config.json", config)
    assert find_credential(SHOP, environment) == Credential("registry.example:5000", "s")


def test_a_helper_may_give_an_identity_token(environment: dict[str, str]):
    helper(environment, "vault", """echo '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}'""")
    write(Path(environment["HOME"]) / ".docker" / "config.json", {"credsStore": "vault"})
    assert find_credential(SHOP, environment) == Credential("", identity_token="refresh")


def test_a_helper_that_knows_nothing_makes_one_anonymous(environment: dict[str, str]):
    helper(environment, "vault", "echo credentials not found in native keychain; exit 1")
    write(Path(environment["HOME"]) / ".docker" / "config.json", {"credsStore": "vault"})
    assert user(environment) is None


@pytest.mark.parametrize(
    "script", ["echo hunter2; exit 3", "echo hunter2", "printf '{\"Secret\": hunter2'", "exit 1", "kill -9 $$"]
)
def test_a_helper_that_fails_is_named_and_its_words_are_not_repeated(environment: dict[str, str], script: str):
    helper(environment, "vault", script)
    write(Path(environment["HOME"]) / ".docker" / "config.json", {"credsStore": "vault"})
    with pytest.raises(ConfigError) as caught:
        find_credential(SHOP, environment)
    assert "docker-credential-vault" in caught.value.what
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "a b", ""])
def test_a_helper_that_is_missing_or_named_impossibly_is_refused(environment: dict[str, str], name: str):
    write(Path(environment["HOME"]) / ".docker" / "config.json", {"credHelpers": {SHOP.host: name}})
    if name:
        with pytest.raises(ConfigError):
            find_credential(SHOP, environment)
    else:
        assert user(environment) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": []}', '{"auths": {"registry.example:5000": {"auth": "aHVudGVyMg=="}}}', "hunter2"]
)
def test_a_damaged_file_is_named_and_not_quoted(environment: dict[str, str], text: str):
    file = Path(environment["HOME"]) / ".docker" / "config.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        find_credential(SHOP, environment)
    assert str(file) in caught.value.what
    assert "hunter2" not in str(caught.value)
    assert "aHVudGVyMg" not in str(caught.value)


def test_a_credential_shows_no_secret():
    assert "hunter2" not in repr(Credential("me", "hunter2", "hunter2"))


@given(data=st.binary(max_size=200))
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    file = tmp_path_factory.mktemp("auth") / "auth.json"
    file.write_bytes(data)
    try:
        find_credential(SHOP, {"REGISTRY_AUTH_FILE": str(file)})
    except ConfigError as problem:
        assert problem.hint


@pytest.mark.parametrize(
    "key", ["docker.io", "https://index.docker.io/v1/", "registry-1.docker.io", "docker.io/library"]
)
def test_docker_hub_has_the_names_that_tools_write(environment: dict[str, str], key: str):
    hub = Repository("registry-1.docker.io", "library/nginx")
    write(Path(environment["HOME"]) / ".docker/config.json", {"auths": {key: auth("hubert", "x")}})
    assert user(environment, hub) == "hubert"
    assert user(environment) is None


def test_a_helper_for_all_registries_is_asked_for_docker_hub_as_docker_does(environment: dict[str, str]):
    answer = '{"Username": "hubert", "Secret": "x"}'
    helper(environment, "all", f"read key; [ \"$key\" = https://index.docker.io/v1/ ] && echo '{answer}'")
    write(Path(environment["HOME"]) / ".docker/config.json", {"credsStore": "all"})
    assert user(environment, Repository("registry-1.docker.io", "library/nginx")) == "hubert"
