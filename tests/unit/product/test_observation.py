# SPDX-License-Identifier: MIT
"""What is observed of a container is read from the product file, or a mistake is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orchestrator.product.observation import Observe, Peer


def observe(**words: Any) -> Observe:
    return msgspec.convert(words, Observe)


def test_what_is_not_named_is_off():
    assert observe(exec="record") == Observe(exec="record", connect="off", write="off")


def test_what_is_declared_is_read():
    found = observe(connect="stop", allow={"connect": [{"address": "10.0.0.0/8", "port": 5432, "protocol": "tcp"}]})
    assert found.allow.connect == [Peer(address="10.0.0.0/8", port=5432, protocol="tcp")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({}, "say what is to be observed"),
        ({"exec": "off"}, "say what is to be observed"),
        ({"exec": "kill"}, "kill"),
        ({"connect": "record", "allow": {"exec": ["/bin/sh"]}}, "exec is declared, but not observed"),
        ({"exec": "stop", "allow": {"exec": ["sh"]}}, "exec"),
        ({"exec": "stop", "allow": {"exec": ["/usr/../bin/sh"]}}, "would never match"),
        ({"write": "stop", "allow": {"write": ["/tmp//x"]}}, "would never match"),
        ({"write": "stop", "allow": {"write": ["/tmp/a\nb"]}}, "control characters"),
        ({"write": "stop", "allow": {"write": ["/" + "x" * 1023]}}, "too long"),
        ({"connect": "stop", "allow": {"connect": [{}]}}, "name an address, a port or a protocol"),
        ({"connect": "stop", "allow": {"connect": [{"address": "example.org"}]}}, "is no network"),
        ({"connect": "stop", "allow": {"connect": [{"address": "10.0.0.1/8"}]}}, "is no network"),
        ({"connect": "stop", "allow": {"connect": [{"address": "fe80::1%eth0"}]}}, "names an interface"),
        ({"connect": "stop", "allow": {"connect": [{"port": 0}]}}, "port"),
    ],
)
def test_a_mistake_is_named(words: dict[str, Any], reason: str):
    with pytest.raises(msgspec.ValidationError, match=reason):
        observe(**words)
