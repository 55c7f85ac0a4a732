# SPDX-License-Identifier: MIT
"""What a product has observed arrives in the revision, and a container is not stopped by its own health check."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from orchestrator.build.observing import observed
from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError
from orchestrator.product.observation import Observe as ProductObserve
from orchestrator.revision import Declared, Health, HttpCheck, Observe, Peer


def product(**words: Any) -> ProductObserve:
    return msgspec.convert(words, ProductObserve)


def test_what_the_product_declares_is_in_the_revision():
    found = observed(
        "web",
        product(
            exec="stop", connect="record", allow={"exec": ["/bin/web"], "connect": [{"address": "::1"}, {"port": 53}]}
        ),
        None,
    )
    peers = [Peer(address="::1"), Peer(port=53)]
    assert found == Observe(exec="stop", connect="record", allow=Declared(exec=["/bin/web"], connect=peers))
    assert json.loads(canonical_json(msgspec.to_builtins(found)))["allow"] == {
        "exec": ["/bin/web"],
        "connect": [{"address": "::1"}, {"port": 53}],
        "write": [],
    }


def test_nothing_is_observed_that_was_not_asked_for():
    assert observed("web", None, Health(command=["/bin/check"])) is None


@pytest.mark.parametrize(
    ("program", "declared", "good"),
    [
        ("/bin/check", ["/bin/check"], True),
        ("/bin/check", ["/bin/"], True),
        ("check", ["/bin/check"], True),
        ("check", ["/bin/"], True),
        ("/bin/check", ["/bin/chec"], False),
        ("check", ["/bin/other"], False),
        ("/bin/check", [], False),
    ],
)
def test_a_health_check_must_be_declared_where_programs_stop_a_container(program: str, declared: list[str], good: bool):
    health = Health(command=[program])
    asked = product(exec="stop", allow={"exec": declared})
    if good:
        assert observed("web", asked, health) is not None
        return
    with pytest.raises(ConfigError, match="stopped by its own health check"):
        observed("web", asked, health)
    assert observed("web", product(exec="record"), health) is not None


def test_a_check_of_a_port_runs_nothing():
    assert observed("web", product(exec="stop"), Health(http=HttpCheck(port=80))) is not None
