# SPDX-License-Identifier: MIT
"""Who we are is told to the registry that asks, in the way that it asks, and to nobody else."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from orchestrator.errors import FetchError
from orchestrator.registry import (
    BusyError,
    DeniedError,
    NotFoundError,
    Patience,
    Place,
    Remote,
    Repository,
    Session,
    Web,
)
from orchestrator.registry.errors import BrokenTransferError
from tests.unit.registry.conftest import IMPATIENT
from tests.unit.registry.fake import Handler, Registry, serving


def log_in(environment: dict[str, str], host: str, user: str = "me", password: str = "hunter2", **more: str) -> None:
    path = Path(environment["HOME"]) / ".docker" / "config.json"
    path.parent.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth, **more}}}))


@pytest.fixture(autouse=True)
def stored(registry: Registry) -> str:
    config = registry.put("shop/web", b"{}")
    value = {"schemaVersion": 2, "config": config, "layers": []}
    return registry.put_json("shop/web", value, "application/vnd.oci.image.manifest.v1+json", "stable")["digest"]


def test_basic_credentials_are_sent_when_asked_for_and_then_at_once(
    registry: Registry, remote: Remote, environment: dict[str, str], stored: str
):
    registry.user = ("me", "hunter2")
    log_in(environment, registry.host)
    assert remote.head("stable") == stored
    assert remote.head("stable") == stored
    sent = [each.headers.get("authorization") for each in registry.asked("HEAD", "/manifests/")]
    assert sent[0] is None
    assert sent[1:] == ["Basic " + base64.b64encode(b"me:hunter2").decode()] * 2


def test_a_token_is_asked_for_once_with_our_own_scope(
    registry: Registry, remote: Remote, environment: dict[str, str], stored: str
):
    registry.user, registry.bearer = ("me", "hunter2"), True
    log_in(environment, registry.host)
    for _ in range(3):
        assert remote.head("stable") == stored
    (asked,) = registry.asked("GET", "/token")
    assert asked.query == {"service": ["fake"], "scope": ["repository:shop/web:pull,push"]}


def test_a_token_is_anonymous_without_credentials(registry: Registry, remote: Remote, stored: str):
    registry.bearer = True
    assert remote.head("stable") == stored
    assert "authorization" not in registry.asked("GET", "/token")[0].headers


def test_a_token_that_the_registry_no_longer_takes_is_renewed(registry: Registry, remote: Remote, stored: str):
    registry.bearer = True
    assert remote.head("stable") == stored
    registry.valid.clear()
    assert remote.head("stable") == stored
    assert len(registry.asked("GET", "/token")) == 2


def test_a_token_is_renewed_before_it_expires(registry: Registry, remote: Remote, stored: str):
    registry.bearer, registry.token_seconds = True, 11  # one second when the margin is taken off
    remote.head("stable")
    key = next(iter(remote.session._tokens))
    remote.session._tokens[key] = type(remote.session._tokens[key])("old", 0.0)
    assert remote.head("stable") == stored
    assert len(registry.asked("GET", "/token")) == 2


def test_an_identity_token_is_exchanged(registry: Registry, remote: Remote, environment: dict[str, str], stored: str):
    registry.bearer, registry.refresh_token = True, "refresh/+me"
    log_in(environment, registry.host, identitytoken="refresh/+me")
    assert remote.head("stable") == stored
    assert registry.asked("POST", "/token")


@pytest.mark.parametrize("bearer", [True, False])
def test_wrong_credentials_are_said_and_not_shown(
    registry: Registry, remote: Remote, environment: dict[str, str], bearer: bool
):
    registry.user, registry.bearer = ("me", "other"), bearer
    log_in(environment, registry.host)
    with pytest.raises(DeniedError) as caught:
        remote.head("stable")
    assert "skopeo login" in caught.value.hint
    assert "with the credentials at hand" in caught.value.what
    assert "hunter2" not in str(caught.value)


def test_a_registry_that_repeats_our_secret_does_not_get_it_into_messages(
    registry: Registry, remote: Remote, environment: dict[str, str]
):
    registry.user = ("me", "hunter2")
    log_in(environment, registry.host)
    remote.head("stable")

    def echo(handler: Handler) -> bool:
        given = handler.headers.get("authorization", "")
        body = json.dumps({"errors": [{"code": "X", "message": f"{given} hunter2 \x1b[31m"}]}).encode()
        handler.reply(403, body, content_type="application/json")
        return True

    registry.trouble = echo
    with pytest.raises(DeniedError) as caught:
        remote.manifest("stable")
    assert "hunter2" not in str(caught.value)
    assert base64.b64encode(b"me:hunter2").decode() not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_redirect_to_another_server_takes_no_credentials_along(
    registry: Registry, remote: Remote, environment: dict[str, str], stored: str
):
    registry.user = ("me", "hunter2")
    log_in(environment, registry.host)
    with serving(Registry()) as elsewhere:
        elsewhere.repos = registry.repos
        remote.head("stable")

        def send_away(handler: Handler) -> bool:
            handler.reply(307, location=f"http://{elsewhere.host}{handler.path}")
            return True

        registry.trouble = send_away
        assert remote.manifest("stable").descriptor.digest == stored
        assert "authorization" in registry.seen[-1].headers
        assert [each.headers.get("authorization") for each in elsewhere.seen] == [None]


def test_a_redirect_within_the_server_keeps_them(
    registry: Registry, remote: Remote, environment: dict[str, str], stored: str
):
    registry.user = ("me", "hunter2")
    log_in(environment, registry.host)
    remote.head("stable")

    def move(handler: Handler) -> bool:
        if handler.path.endswith("/manifests/stable"):
            handler.reply(302, location=handler.path.replace("stable", stored))
            return True
        return False

    registry.trouble = move
    assert remote.manifest("stable").descriptor.digest == stored


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://x.example/",
        "http://user:secret@127.0.0.1/",
        "//[::",
        "http://",
        "gopher:x",
        "http://x:99999/",
    ],
)
def test_a_redirect_to_no_web_address_is_refused(registry: Registry, remote: Remote, target: str):
    def send_away(handler: Handler) -> bool:
        handler.reply(302, location=target)
        return True

    registry.trouble = send_away
    with pytest.raises(FetchError) as caught:
        remote.manifest("stable")
    assert "secret" not in str(caught.value)


def test_a_circle_of_redirects_ends(registry: Registry, remote: Remote):
    def circle(handler: Handler) -> bool:
        handler.reply(307, location=handler.path)
        return True

    registry.trouble = circle
    with pytest.raises(FetchError, match="circle"):
        remote.manifest("stable")
    assert len(registry.asked("GET")) == 8


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(registry: Registry, remote: Remote, stored: str, status: int):
    remote.session.base()
    left = [2]

    def busy(handler: Handler) -> bool:
        left[0] -= 1
        if left[0] >= 0:
            handler.reply(status, retry_after="0")
        return left[0] >= 0

    registry.trouble = busy
    assert remote.manifest("stable").descriptor.digest == stored
    assert len(registry.asked("GET")) == 3


def test_a_storm_of_refusals_ends(registry: Registry, remote: Remote):
    def storm(handler: Handler) -> bool:
        handler.reply(429)
        return True

    registry.trouble = storm
    with pytest.raises(BusyError) as caught:
        remote.manifest("stable")
    assert caught.value.exit_code == 75
    assert len(registry.asked("GET")) == IMPATIENT.tries


@pytest.mark.parametrize("asked", ["3600", "99999999999999999999", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_registry_that_asks_for_long_patience_ends_the_command_at_once(
    registry: Registry, remote: Remote, asked: str
):
    def later(handler: Handler) -> bool:
        handler.reply(429, retry_after=asked)
        return True

    registry.trouble = later
    with pytest.raises(BusyError, match="asks to come back"):
        remote.manifest("stable")
    assert len(registry.asked("GET")) == 1


@pytest.mark.parametrize("asked", ["soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "1e9", "Wed, 99 Foo 20155 99:99:99"])
def test_a_senseless_retry_after_is_passed_over(registry: Registry, remote: Remote, stored: str, asked: str):
    remote.session.base()
    once = []

    def busy(handler: Handler) -> bool:
        if not once:
            once.append(True)
            handler.reply(503, retry_after=asked)
            return True
        return False

    registry.trouble = busy
    assert remote.manifest("stable").descriptor.digest == stored


def test_a_missing_image_is_said(remote: Remote):
    with pytest.raises(NotFoundError):
        remote.manifest("nothing")
    with pytest.raises(NotFoundError):
        remote.head("nothing")


def test_a_server_that_is_not_there_is_said_in_time(environment: dict[str, str]):
    with Web(patience=IMPATIENT, environment=environment) as web:
        gone = Remote(Session(web, Place(Repository("127.0.0.1:1", "web"))))
        with pytest.raises(BrokenTransferError):
            gone.manifest("1")


def test_plain_http_is_not_spoken_to_a_host_that_is_not_this_machine(environment: dict[str, str]):
    with Web(patience=IMPATIENT, environment=environment) as web:
        session = Session(web, Place(Repository("registry.example", "web")))
        assert str(session.base()) == "https://registry.example/"


def test_the_back_off_grows_and_has_an_end():
    patience = Patience(first_delay=1, longest_delay=10)
    assert 0.7 < patience.delay(1) < 1.3
    assert 2.9 < patience.delay(3) < 5.1
    assert patience.delay(50) < 12.6
