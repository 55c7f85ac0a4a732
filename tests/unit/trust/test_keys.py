# SPDX-License-Identifier: MIT
"""Keys are made once, kept private, and refused when they are not safe or not right."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

from orchestrator.errors import ConfigError, TrustError
from orchestrator.trust import (
    PrivateKey,
    PublicKey,
    add_public_key,
    keys_folder,
    load_keys,
    new_key,
    product_keys,
    rotation,
    set_threshold,
)

NOW = "2026-01-01T00:00:00Z"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PYCONTAINER_KEYS": str(tmp_path / "keys"), "HOME": str(tmp_path)}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_folder_of_keys_that_cannot_be_used_is_an_error_of_ours(environment, tmp_path: Path):
    (tmp_path / "keys").write_text("a file")
    for action in (load_keys, product_keys):
        with pytest.raises(ConfigError, match="cannot"):
            action("demo", environment=environment)


def test_without_a_folder_there_are_no_keys(environment):
    with pytest.raises(TrustError, match="there are no keys"):
        load_keys("demo", environment=environment)


def test_the_first_use_makes_a_key_and_the_second_finds_it(environment, tmp_path: Path):
    made = product_keys("demo", environment=environment)
    assert made.folder == tmp_path / "keys" / "demo"
    assert [key.name for key in made.keys] == ["signing"]
    assert made.threshold == 1
    assert mode(made.folder) == 0o700
    assert mode(made.folder / "signing.key.pem") == 0o600
    assert (made.folder / "signing.key.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert product_keys("demo", environment=environment) == made
    assert product_keys("other", environment=environment).keys != made.keys


def test_the_umask_opens_nothing(environment):
    before = os.umask(0)
    try:
        made = product_keys("demo", environment=environment)
    finally:
        os.umask(before)
    assert mode(made.folder / "signing.key.pem") == 0o600
    assert mode(made.folder) == 0o700


def test_the_folder_follows_the_environment(tmp_path: Path):
    assert keys_folder("p", {"HOME": "/h"}) == Path("/h/.local/share/pycontainer/keys/p")
    assert keys_folder("p", {"HOME": "/h", "XDG_DATA_HOME": "/d"}) == Path("/d/pycontainer/keys/p")
    assert keys_folder("p", {"HOME": "/h", "PYCONTAINER_KEYS": "/k"}) == Path("/k/p")
    for name in ("", "..", "../x", "a/b", "A"):
        with pytest.raises(ConfigError, match="not a product name"):
            keys_folder(name, {"HOME": "/h"})


def test_two_first_uses_at_once_get_one_key(environment):
    children = []
    for _ in range(4):
        if (child := os.fork()) == 0:
            try:
                product_keys("demo", environment=environment)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(list(keys_folder("demo", environment).glob("*.pem"))) == 1


def test_a_signature_of_the_made_key_verifies(environment):
    made = product_keys("demo", environment=environment)
    (signer,) = made.signers(environment=environment)
    (public,) = made.public_keys()
    assert public.verifies(signer.sign(b"message"), b"message")
    assert not public.verifies(signer.sign(b"message"), b"other")
    assert not public.verifies(b"short", b"message")


@pytest.mark.parametrize("opened", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_may_read_is_refused_with_the_command_that_helps(environment, opened: int):
    made = product_keys("demo", environment=environment)
    path = made.folder / "signing.key.pem"
    path.chmod(opened)
    with pytest.raises(TrustError) as caught:
        made.signers(environment=environment)
    assert caught.value.exit_code == 7
    assert caught.value.hint == f"run: chmod 600 {path}"


def test_a_folder_that_others_may_write_to_is_refused(environment):
    made = product_keys("demo", environment=environment)
    made.folder.chmod(0o770)
    with pytest.raises(TrustError) as caught:
        load_keys("demo", environment=environment)
    assert caught.value.hint == f"run: chmod 700 {made.folder}"


def test_an_encrypted_key_needs_its_passphrase(environment, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("correct horse\nsecond line\n")
    secret.chmod(0o600)
    closed = {**environment, "PYCONTAINER_KEY_PASSPHRASE_FILE": str(secret)}
    made = product_keys("demo", environment=closed)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (made.folder / "signing.key.pem").read_bytes()
    assert made.signers(environment=closed)
    with pytest.raises(TrustError, match="is encrypted") as caught:
        made.signers(environment=environment)
    assert "PYCONTAINER_KEY_PASSPHRASE_FILE" in caught.value.hint
    secret.write_text("wrong\n")
    with pytest.raises(TrustError) as caught:
        made.signers(environment=closed)
    assert "passphrase is wrong" in caught.value.why
    secret.write_text("\n")
    with pytest.raises(TrustError, match="is empty"):
        made.signers(environment=closed)
    secret.chmod(0o644)
    with pytest.raises(TrustError, match="others may use the passphrase"):
        made.signers(environment=closed)


def _pem(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        _pem(ec.generate_private_key(ec.SECP256R1())),
        _pem(ed25519.Ed25519PrivateKey.generate()),
        b"x" * 70000,
    ],
    ids=["empty", "rubbish", "damaged", "openssh", "another algorithm", "another key", "huge"],
)
def test_a_private_file_that_is_not_the_right_key_is_refused(environment, content: bytes):
    made = product_keys("demo", environment=environment)
    (made.folder / "signing.key.pem").write_bytes(content)
    with pytest.raises(TrustError):
        made.signers(environment=environment)


@pytest.mark.parametrize(
    "change",
    [
        {"product": "other"},
        {"keyid": "0" * 64},
        {"public": "AAAA"},
        {"public": "!" * 44},
        {"schemaVersion": 2},
        {"extra": 1},
    ],
)
def test_a_public_file_that_is_not_right_is_refused(environment, change):
    made = product_keys("demo", environment=environment)
    path = made.folder / "signing.pub.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TrustError):
        load_keys("demo", environment=environment)


def test_a_key_of_another_product_is_named_as_such(environment):
    product_keys("demo", environment=environment)
    product_keys("other", environment=environment)
    source = keys_folder("other", environment) / "signing.pub.json"
    (keys_folder("demo", environment) / "signing.pub.json").write_bytes(source.read_bytes())
    with pytest.raises(TrustError, match="key of another product"):
        load_keys("demo", environment=environment)


def test_a_public_file_that_a_kill_prevented_is_made_by_the_next_use(environment):
    made = product_keys("demo", environment=environment)
    (made.folder / "signing.pub.json").unlink()
    (made.folder / ".signing.key.pem.new").write_bytes(b"half a key")
    assert product_keys("demo", environment=environment) == made


def test_a_private_key_is_never_overwritten(environment, tmp_path: Path):
    PrivateKey.generate().save(tmp_path / "a.key.pem", None)
    before = (tmp_path / "a.key.pem").read_bytes()
    with pytest.raises(TrustError, match="exists already"):
        PrivateKey.generate().save(tmp_path / "a.key.pem", None)
    assert (tmp_path / "a.key.pem").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.key.pem"]


def test_several_keys_and_a_threshold(environment):
    product_keys("demo", environment=environment)
    second = new_key("demo", "release", environment=environment)
    outside = PrivateKey.generate().public
    add_public_key("demo", "vault", outside, environment=environment)
    set_threshold("demo", 2, environment=environment)
    found = load_keys("demo", environment=environment)
    assert [(key.name, key.private) for key in found.keys] == [("release", True), ("signing", True), ("vault", False)]
    assert found.threshold == 2
    assert second.public in found.public_keys()
    assert outside in found.public_keys()
    assert len(found.signers(environment=environment)) == 2
    assert found.facts_keys() == sorted((key.keyid, key.base64) for key in found.public_keys())
    with pytest.raises(ConfigError, match="already"):
        new_key("demo", "release", environment=environment)
    with pytest.raises(ConfigError, match="threshold cannot be 4"):
        set_threshold("demo", 4, environment=environment)


def test_a_threshold_that_can_never_be_met_is_refused(environment):
    made = product_keys("demo", environment=environment)
    (made.folder / "trust.json").write_text('{"schemaVersion":1,"threshold":2}')
    with pytest.raises(TrustError, match="never be met"):
        load_keys("demo", environment=environment)
    (made.folder / "trust.json").write_text('{"schemaVersion":1,"threshold":0}')
    with pytest.raises(TrustError):
        load_keys("demo", environment=environment)


def test_the_same_key_under_two_names_is_refused(environment):
    made = product_keys("demo", environment=environment)
    (made.folder / "copy.pub.json").write_bytes((made.folder / "signing.pub.json").read_bytes())
    with pytest.raises(TrustError, match="listed twice"):
        load_keys("demo", environment=environment)


def test_without_keys_the_error_says_how_to_make_one(environment):
    with pytest.raises(TrustError) as caught:
        load_keys("demo", environment=environment)
    assert "pycontainer key" in caught.value.hint
    add_public_key("demo", "vault", PrivateKey.generate().public, environment=environment)
    with pytest.raises(TrustError, match="no private key"):
        load_keys("demo", environment=environment).signers(environment=environment)


def test_a_public_key_travels_as_pem():
    public = PrivateKey.generate().public
    assert isinstance(load_pem_public_key(public.pem), ed25519.Ed25519PublicKey)
    assert PublicKey.from_pem(public.pem) == public
    with pytest.raises(TrustError):
        PublicKey.from_pem(b"rubbish")


def test_a_private_key_never_shows_itself():
    key = PrivateKey.from_seed(b"\1" * 32)
    assert "PrivateKey(" + key.public.keyid[:12] + ")" == repr(key)


def test_a_kill_at_any_moment_of_the_first_use_leaves_one_whole_key_for_the_next(tmp_path: Path):
    moments = [
        (os, "open"),
        (os, "fsync"),
        (os, "write"),
        (os, "link"),
        (os, "rename"),
        (os, "replace"),
        (os, "unlink"),
    ]
    for position in range(1, 100):
        environment = {"PYCONTAINER_KEYS": str(tmp_path / str(position))}
        if (child := os.fork()) == 0:
            try:
                _die_at(position, moments)
                product_keys("demo", environment=environment)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found = product_keys("demo", environment=environment)
        assert [key.private for key in found.keys] == [True]
        assert found.signers(environment=environment)
        assert not list(found.folder.glob(".*.[nt]*"))
        if status == 0:
            break
        assert status == 77
    assert position > 8, "the moments were really reached"


def _die_at(position: int, moments) -> None:
    count = 0

    def wrap(real):
        def call(*arguments, **named):
            nonlocal count
            count += 1
            if count == position:
                os._exit(77)
            return real(*arguments, **named)

        return call

    for module, name in moments:
        setattr(module, name, wrap(getattr(module, name)))


def test_a_key_whose_maker_was_killed_is_gone_on_with_in_the_role_that_it_was_made_for(environment):
    product_keys("demo", environment=environment)
    made = new_key("demo", "root", role="root", environment=environment)
    (keys_folder("demo", environment) / "root.pub.json").unlink()
    assert [key.name for key in product_keys("demo", environment=environment).keys] == ["signing"]
    again = new_key("demo", "root", role="root", environment=environment)
    assert (again.public, again.meant) == (made.public, "root")
    with pytest.raises(ConfigError, match="already"):
        new_key("demo", "root", role="root", environment=environment)


def test_a_rotation_that_was_killed_is_gone_on_with(environment, monkeypatch: pytest.MonkeyPatch):
    product_keys("demo", environment=environment)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "retire", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rotation.rotate("demo", "signing", now=NOW, environment=environment)
    rotation.rotate("demo", "signing", now=NOW, environment=environment)
    found = load_keys("demo", environment=environment)
    assert [(key.name, key.retired) for key in found.keys] == [("signing", True), ("signing-2", False)]
    rotation.rotate("demo", "signing-2", now=NOW, environment=environment)
    assert [key.name for key in load_keys("demo", environment=environment).keys][-1] == "signing-3"
