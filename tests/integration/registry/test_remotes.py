# SPDX-License-Identifier: MIT
"""A product and a layer over Debian's docker-registry: built, committed, pushed, cloned elsewhere, changed, pulled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.history.names import Names
from orchestrator.oci import Store, fsck
from tests.integration.conftest import Finished, Product, pycontainer
from tests.integration.registry.conftest import BadLine, Server, bad_line
from tests.integration.registry.test_docker_registry import skopeo

pytestmark = pytest.mark.usefixtures("home")


def ok(done: Finished) -> Finished:
    assert done.code == 0, done.out + done.err
    return done


def test_a_product_is_committed_pushed_and_cloned_elsewhere(sibling: Product, plain: Server, tmp_path: Path):
    place = f"{plain.host}/walk/demo"
    here = {"cwd": sibling.folder, **sibling.environment}
    ok(pycontainer("remote", "add", "origin", place, **here))
    sibling.build()
    ok(pycontainer("commit", "-m", "The first one", **here))
    pushed = ok(pycontainer("push", "--tag", "v1", "--json", **here)).json
    assert (pushed["channel"], pushed["pointerVersion"], pushed["revisions"]) == ("main", 1, 1)

    # Somebody who knows nothing: over a line that cuts and spoils, by the key's id that was told over another way.
    (key,) = json.loads(ok(pycontainer("key", "ls", "--json", **here)).out)["keys"]
    line = BadLine(plain.port, cut_after=20_000_000, cuts=2, spoil_at=300_000, spoils=1)
    other = {"cwd": tmp_path, "PYCONTAINER_KEYS": str(tmp_path / "other-keys")}
    with bad_line(line):
        reference = f"127.0.0.1:{line.port}/walk/demo"
        done = ok(pycontainer("clone", reference, "copy", "--key", key["keyid"][:16], "--json", **other)).json
    assert line.cuts < 2
    assert (done["trust"], done["sources"]) == ("first contact", True)
    copy = tmp_path / "copy"
    store = Store.open(copy / ".pycontainer" / "store")
    assert fsck(store).whole
    assert (copy / "pycontainer.yaml").read_bytes() == (sibling.folder / "pycontainer.yaml").read_bytes()
    assert (copy / "www" / "index.html").read_bytes() == (sibling.folder / "www" / "index.html").read_bytes()
    listed = ok(pycontainer("ls-remote", place, "--json", **other)).json["names"]
    assert [(each["kind"], each["name"], each["signed"]) for each in listed] == [
        ("channel", "main", "valid"), ("tag", "v1", "valid"),
    ]  # fmt: skip

    # An app changes: only its blobs travel.
    with (sibling.folder / "www" / "index.html").open("a") as file:
        file.write("<!-- changed -->\n")
    sibling.build()
    ok(pycontainer("commit", "-m", "Another page", **here))
    second = ok(pycontainer("push", "--json", **here)).json
    assert second["pointerVersion"] == 2
    assert second["moved"] < pushed["moved"] / 2
    ok(pycontainer("remote", "add", "real", place, "-C", copy, **other))
    pulled = ok(pycontainer("pull", "real", "--json", "-C", copy, **other)).json["channels"][0]
    assert (pulled["outcome"], pulled["revision"]) == ("forward", second["revision"])
    assert Names(store, "qemu-amd64").load("main~1").id == pushed["revision"]

    # The same by a stick, and back through skopeo, which copies a revision as it copies any image.
    stick = tmp_path / "stick.tar"
    ok(pycontainer("bundle", "create", "main", "main~1", "-o", stick, **here))
    third = {"cwd": tmp_path, "PYCONTAINER_KEYS": str(sibling.keys)}
    ok(pycontainer("clone", stick, "from-stick", **third))
    skopeo("copy", "--src-tls-verify=false", f"docker://{place}:v1", f"oci:{tmp_path / 'layout'}:v1")
    assert Store.open(tmp_path / "layout").has_blob(pushed["revision"])
    shutil.rmtree(tmp_path / "from-stick")


def test_an_app_team_releases_without_the_platform(sibling: Product, plain: Server, tmp_path: Path):
    team = tmp_path / "team"
    (team / "root" / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", team / "root" / "bin" / "busybox")
    (team / "layer.yaml").write_text(
        "layer: idle\nversion: 1.0.0\narchitecture: amd64\nkind: app\nfrom: {directory: root}\n"
        "command: [/bin/busybox, sleep, '1000']\nuser: '65534'\nmemory: 8MiB\n"
    )
    keys = {"PYCONTAINER_KEYS": str(tmp_path / "team-keys")}
    reference = f"{plain.host}/team/idle:1"
    made = ok(pycontainer("layer", "build", "-C", team, "--json", **keys)).json
    ok(pycontainer("layer", "push", reference, "-C", team, **keys))
    (signer,) = made["signedBy"]
    here = sibling.environment
    ok(pycontainer("app", "add", "idle", f"layer:{reference}", "--signer", signer, "-C", sibling.folder, **here))
    first = sibling.build()
    config = Store.open(sibling.folder / ".pycontainer" / "store")
    revision = Names(config, "qemu-amd64").load("candidate")
    blobs = {(blob.layer, blob.role): blob for blob in revision.blobs()}
    assert (blobs["idle", "rootfs"].digest, blobs["idle", "rootfs"].fsverity) == (made["rootfs"], made["fsverity"])
    assert next(layer for layer in revision.config.layers if layer.name == "idle").version == "1.0.0"

    # The team releases; nothing changes until the product moves its pin.
    (team / "layer.yaml").write_text((team / "layer.yaml").read_text().replace("1.0.0", "1.0.1"))
    ok(pycontainer("layer", "build", "-C", team, **keys))
    ok(pycontainer("layer", "push", reference, "-C", team, **keys))
    assert sibling.build()["unchanged"]
    moved = ok(pycontainer("app", "update", "idle", "-C", sibling.folder, "--json", **here)).json
    assert [each["image"] for each in moved["changes"]] == [reference]
    second = sibling.build()
    assert second["revision"] != first["revision"]
    assert [each["version"] for each in second["layers"] if each["name"] == "idle"] == ["1.0.1"]
