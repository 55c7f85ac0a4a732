# SPDX-License-Identifier: MIT
"""Keys that are in no file: on a PKCS#11 token (SoftHSM) and in OpenSSH's agent, by the example scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import REPOSITORY, pycontainer
from tests.integration.trust.conftest import Shop

EXAMPLES = REPOSITORY / "examples" / "keys"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def run(*words: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [*map(str, words)], env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def token(tmp_path: Path) -> dict[str, str]:
    """A token with a key that was made on it."""
    (tmp_path / "tokens").mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    around = {"SOFTHSM2_CONF": str(config), "PKCS11_TOKEN": "shop", "PKCS11_PIN": "1234", "PKCS11_MODULE": MODULE}
    run("softhsm2-util", "--init-token", "--free", "--label", "shop", "--pin", "1234", "--so-pin", "5678", **around)
    tool = ("pkcs11-tool", "--module", MODULE, "--token-label", "shop")
    run(*tool, "--login", "--pin", "1234", "--keypairgen", "--key-type", "EC:edwards25519", "--label", "signing",
        "--id", "01", **around)  # fmt: skip
    run(*tool, "--read-object", "--type", "pubkey", "--id", "01", "-o", tmp_path / "token.pem", **around)
    return around


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An agent that holds a key, whose file is gone."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", tmp_path / "id")
        around = {"SSH_AUTH_SOCK": str(path)}
        for attempt in range(100):
            if path.exists() or attempt == 99:
                break
            process.poll()
            os.sched_yield()
            subprocess.run(["sleep", "0.05"], check=True)
        run("ssh-add", "-q", tmp_path / "id", **around)
        (tmp_path / "id").unlink()
        yield around
    finally:
        process.terminate()
        process.wait(10)


def test_a_revision_is_signed_on_a_token(shop: Shop, token: dict[str, str], tmp_path: Path) -> None:
    command = f"{EXAMPLES}/sign-with-pkcs11 signing"
    taken = shop.ok("key", "import", "token", tmp_path / "token.pem", "--command", command, **token)
    assert taken["private"]
    signed = shop.ok("sign", "--cosign", **token)
    assert signed["keys"] == [taken["keyid"]]
    assert shop.ok("verify")["keys"] == [taken["keyid"]], "verifying needs no token"
    wrong = pycontainer("sign", cwd=shop.folder, PYCONTAINER_KEYS=str(shop.keys), **(token | {"PKCS11_PIN": "9999"}))
    assert wrong.code == 7
    assert "failed" in wrong.err
    assert "Traceback" not in wrong.err


def test_a_revision_is_signed_by_an_agent(shop: Shop, agent: dict[str, str], tmp_path: Path) -> None:
    command = f"{sys.executable} {EXAMPLES}/sign-with-ssh-agent"
    taken = shop.ok("key", "import", "agent", tmp_path / "id.pub", "--command", command, **agent)
    shop.ok("sign", **agent)
    assert shop.ok("verify")["keys"] == [taken["keyid"]]
    run("ssh-add", "-q", "-D", **agent)
    done = pycontainer("sign", cwd=shop.folder, PYCONTAINER_KEYS=str(shop.keys), **agent)
    assert done.code == 7
    assert "the agent does not sign" in done.err
