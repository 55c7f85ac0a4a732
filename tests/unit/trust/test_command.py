# SPDX-License-Identifier: MIT
"""A program signs in a key's place: what it answers is checked, and whatever it does is told."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, TrustError
from orchestrator.trust import PrivateKey, PublicKey, add_public_key, load_keys, new_key, product_keys
from orchestrator.trust.command import COMMAND, CommandSigner, render

ONE, TWO = (PrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2))
SIGNING = """
import base64, os, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
key = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
assert base64.b64decode(os.environ["PYCONTAINER_KEY_PUBLIC"]) == key.public_key().public_bytes_raw()
signature = key.sign(sys.stdin.buffer.read())
"""
RAW, TEXT = SIGNING + "sys.stdout.buffer.write(signature)", SIGNING + "print(base64.b64encode(signature).decode())"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PYCONTAINER_KEYS": str(tmp_path / "keys"), "HOME": str(tmp_path)}


def command(source: str) -> list[str]:
    return [sys.executable, "-c", source]


@pytest.mark.parametrize("source", [RAW, TEXT])
def test_a_command_signs_like_the_key_itself(source: str):
    assert CommandSigner(ONE.public, command(source)).sign(b"message") == ONE.sign(b"message")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "answered no signature"),
        ("print('hello')", "not standard base64"),
        ("import sys; sys.stdout.buffer.write(bytes(64))", "answered no signature"),
        ("import sys; sys.stdout.buffer.write(bytes([255]) * 70)", "not standard base64"),
        ("import sys; sys.exit(3)", "failed"),
        ("import time; time.sleep(60)", "does not end"),
    ],
)
def test_a_wrong_answer_is_told(source: str, why: str):
    with pytest.raises(TrustError, match=why) as caught:
        CommandSigner(ONE.public, command(source), timeout=5).sign(b"message")
    assert caught.value.hint or caught.value.why


def test_a_signature_by_another_key_is_refused():
    with pytest.raises(TrustError, match="answered no signature"):
        CommandSigner(TWO.public, command(RAW.replace("assert", "0 and"))).sign(b"message")


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(TrustError, match="cannot be run"):
        CommandSigner(ONE.public, ["/nowhere/sign"]).sign(b"")


def test_a_key_with_a_command_is_taken_in_and_used(environment, tmp_path: Path):
    with pytest.raises(TrustError, match="failed"):
        add_public_key("demo", "token", ONE.public, command=command("import sys; sys.exit(1)"), environment=environment)
    made = add_public_key("demo", "token", ONE.public, command=command(RAW), environment=environment)
    assert made.private
    keys = load_keys("demo", environment=environment)
    (signer,) = keys.signers(environment=environment)
    assert signer.sign(b"x") == ONE.sign(b"x")
    assert product_keys("demo", environment=environment) == keys, "no other key is made"
    with pytest.raises(ConfigError, match="there is a key"):
        new_key("demo", "token", environment=environment)
    path = keys.folder / f"token{COMMAND}"
    assert path.stat().st_mode & 0o7777 == 0o600
    path.chmod(0o622)
    with pytest.raises(TrustError, match="others may write"):
        keys.signers(environment=environment)


@pytest.mark.parametrize("text", ["", "command = 1", "command = []", 'command = [""]', "command = [1]", "x", 'a = "b"'])
def test_a_file_that_says_nothing_of_use_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "x.key.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TrustError, match="does not say how to sign"):
        CommandSigner.load(path, ONE.public)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_every_command_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, words: list[str]):
    path = tmp_path_factory.mktemp("c") / "x.key.toml"
    path.write_bytes(render(words))
    path.chmod(0o600)
    if words[0]:
        assert CommandSigner.load(path, ONE.public).command == tuple(words)


def test_public_keys_come_in_three_forms():
    for data in (ONE.public.pem, ONE.public.ssh.encode(), f"{ONE.public.ssh} me@here\n".encode()):
        assert PublicKey.from_any(data) == ONE.public
    assert PublicKey.from_any(b'{"keyid": "x", "public": "' + ONE.public.base64.encode() + b'"}') == ONE.public


@pytest.mark.parametrize(
    "data",
    [
        b"", b"ssh-rsa AAAA", b"ssh-ed25519", b"ssh-ed25519 AAAA", b"ssh-ed25519 !", b"{}", b'{"public": 1}',
        ONE.public.ssh.encode()[:-4], base64.b64encode(bytes(32)),
    ],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(data: bytes):
    with pytest.raises(TrustError):
        PublicKey.from_any(data)


@given(st.binary(max_size=120) | st.binary(max_size=80).map(lambda data: b"ssh-ed25519 " + base64.b64encode(data)))
def test_any_bytes_are_a_key_or_refused(data: bytes):
    try:
        assert len(PublicKey.from_any(data).raw) == 32
    except TrustError as problem:
        assert problem.what
