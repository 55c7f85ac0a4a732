# SPDX-License-Identifier: MIT
"""A product whose revisions two must sign, on two machines, and whose keys change: what devices get follows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from orchestrator.history.names import Names
from orchestrator.oci import Store
from orchestrator.revision import Revision
from orchestrator.trust import Envelope, PublicKey, load_keys, trusted_envelope
from orchestrator.trust.sign import PAYLOAD_TYPE
from tests.integration.conftest import Finished, Product, pycontainer


def facts(store: Store, revision: Revision) -> dict[str, Any]:
    """What the host of a revision knows: the end of its initramfs, uncompressed there."""
    (initramfs,) = [blob.digest for blob in revision.blobs() if (blob.layer, blob.role) == ("host", "initramfs")]
    data = store.blob_path(initramfs).read_bytes()
    start = data.rindex(b'{"floor":')
    found: dict[str, Any] = json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))[0]
    return found


def counted(envelope: Envelope, host: dict[str, Any]) -> int:
    """How many signatures count for a device with this host."""
    known = [PublicKey.from_base64(key["public"]) for key in host["keys"]]
    return len(envelope.verify(known, threshold=host["threshold"], payload_type=PAYLOAD_TYPE))


def test_two_sign_on_two_machines_and_a_rotation_reaches_devices(sibling: Product, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    shutil.copytree(sibling.keys, ours)

    def run(keys: Path, *words: str | Path) -> Finished:
        return pycontainer(*words, cwd=sibling.folder, PYCONTAINER_KEYS=str(keys))

    def ok(keys: Path, *words: str | Path) -> str:
        done = run(keys, *words)
        assert done.code == 0, done.out + done.err
        return done.out

    def build() -> tuple[Revision, dict[str, Any], Envelope]:
        """Build with both, and return the revision, what its host knows, and what the device gets of signatures."""
        first = run(ours, "build", "--json")
        assert first.code == 7, first.out
        assert "waits for signatures" in first.json["error"]["what"]
        ok(theirs, "sign", "candidate")
        ok(ours, "build", "--json")
        revision = Names(store, "qemu-amd64").load("candidate")
        keys = load_keys("demo", environment={"PYCONTAINER_KEYS": str(ours), "HOME": "/"})
        envelope = Envelope.from_bytes(trusted_envelope(store, revision, keys.device_keys()))
        return revision, facts(store, revision), envelope

    store = Store.open(sibling.folder / ".pycontainer" / "store")
    ok(theirs, "key", "new", "bob", "--product-name", "demo", "--no-passphrase")
    ok(theirs, "key", "export", "bob", "-o", tmp_path / "bob.pem")
    ok(ours, "key", "import", "bob", tmp_path / "bob.pem")
    ok(ours, "key", "threshold", "2")
    before, old_host, _ = build()
    assert old_host["threshold"] == len(old_host["keys"]) == 2
    ok(ours, "verify")

    ok(ours, "trust", "init")
    ok(ours, "key", "rotate", "signing", "--no-passphrase")
    after, new_host, envelope = build()
    assert after.id != before.id
    assert len({key["keyid"] for key in old_host["keys"]} & {key["keyid"] for key in new_host["keys"]}) == 1
    assert len(envelope.signatures) == 3
    assert counted(envelope, old_host) == counted(envelope, new_host) == 2, "it goes from the old host to the new"
    assert "root/2" in store.tags()
    ok(ours, "verify")
