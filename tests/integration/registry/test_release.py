# SPDX-License-Identifier: MIT
"""A release over Debian's docker-registry: one name leads ours and other tools to the revision of any machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.oci import Store, fsck
from orchestrator.oci.descriptor import INDEX_TYPE
from orchestrator.registry import parse_reference, pull
from orchestrator.revision import RELEASE_TYPE, is_release, set_candidate
from orchestrator.trust import SIGNATURE_TYPE, product_keys
from tests.integration.conftest import Finished, pycontainer
from tests.integration.registry.conftest import Server
from tests.integration.registry.test_docker_registry import skopeo
from tests.unit.remotes.conftest import PRODUCT, make_revision

pytestmark = pytest.mark.usefixtures("home")
TWO = PRODUCT.replace("machine: qemu-amd64", "machines: [qemu-amd64, qemu-arm64]")


def ok(done: Finished) -> Finished:
    assert done.code == 0, done.out + done.err
    return done


def build(folder: Path, keys: Path, content: str) -> None:
    """Let the last build of both machines be `content`."""
    store = Store.open_or_create(folder / ".pycontainer" / "store")
    signers = product_keys("demo", environment={"PYCONTAINER_KEYS": str(keys)})
    for architecture in ("amd64", "arm64"):
        machine = f"qemu-{architecture}"
        set_candidate(
            store, make_revision(store, signers, content, message="", machine=machine, architecture=architecture)
        )


def test_a_tag_is_a_multi_platform_image_for_every_tool(plain: Server, tmp_path: Path) -> None:
    folder, keys = tmp_path / "product", tmp_path / "keys"
    folder.mkdir()
    (folder / "pycontainer.yaml").write_text(TWO)
    here = {"cwd": folder, "PYCONTAINER_KEYS": str(keys)}
    place = f"{plain.host}/two/device"
    ok(pycontainer("remote", "add", "origin", place, **here))
    build(folder, keys, "one")
    made = ok(pycontainer("commit", "-m", "First", "--json", **here)).json
    revisions = {each["machine"]: each["revision"] for each in made["machines"]}
    ok(pycontainer("tag", "v1", **here))
    pushed = ok(pycontainer("push", "--tags", "--json", **here)).json
    assert pushed["release"] == made["release"]

    # Other tools: the channel's own name is an index, whose revisions they copy by platform, or all, unchanged. The
    # index itself some write anew: what is left of it is no release, and is never taken for one.
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{place}:main")
    index = json.loads(raw)
    assert (index["mediaType"], index["artifactType"]) == (INDEX_TYPE, RELEASE_TYPE)
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{place}:v1", f"oci:{tmp_path / 'all'}:v1")
    copied = Store.open(tmp_path / "all")
    again = copied.tags()["v1"].digest
    assert again == made["release"] or not is_release(copied.read_blob(again))
    assert all(copied.has_blob(each) for each in revisions.values())
    skopeo("--override-arch", "arm64", "--override-os", "linux", "copy", "--src-tls-verify=false",
           f"docker://{place}:v1", f"oci:{tmp_path / 'arm'}:v1")  # fmt: skip
    assert Store.open(tmp_path / "arm").tags()["v1"].digest == revisions["qemu-arm64"]

    # A program of ours that knows the tag alone; and signatures, which this registry lists by the fallback tag.
    one, everything = Store.open_or_create(tmp_path / "one"), Store.open_or_create(tmp_path / "everything")
    reference = parse_reference(f"{place}:v1")
    assert pull(reference, one, machine="qemu-arm64").digest == revisions["qemu-arm64"]
    assert not one.has_blob(revisions["qemu-amd64"])
    assert pull(reference, everything).digest == made["release"]
    assert len(everything.referrers(made["release"], SIGNATURE_TYPE)) == 1
    assert fsck(everything).whole

    # Somebody who trusts nobody yet; then the next revision of one machine alone, and the release of both again.
    other = {"cwd": tmp_path, "PYCONTAINER_KEYS": str(tmp_path / "other-keys")}
    done = ok(pycontainer("clone", place, "copy", "--json", **other)).json
    assert {each["machine"]: each["revision"] for each in done["channels"]} == revisions
    there = {"cwd": tmp_path / "copy", "PYCONTAINER_KEYS": str(tmp_path / "other-keys")}
    assert ok(pycontainer("verify", "v1", "--json", **there)).json["release"] == made["release"]
    (tmp_path / "copy" / "pycontainer.yaml").write_text(TWO)  # the sources of these revisions name one machine
    build(folder, keys, "two")
    second = ok(pycontainer("commit", "--machine", "qemu-arm64", "-m", "Second", "--json", **here)).json
    assert ok(pycontainer("push", "--machine", "qemu-arm64", "--json", **here)).json["release"] == second["release"]
    ok(pycontainer("pull", **there))
    shown = ok(pycontainer("show", "main", "--json", **there)).json
    assert shown["release"] == second["release"]
    assert [each["revision"] for each in shown["revisions"]] == [revisions["qemu-amd64"], second["revision"]]
    listed = ok(pycontainer("ls-remote", place, "--json", **there)).json["names"]
    assert [(each["kind"], each["name"], each["machine"], each["signed"]) for each in listed] == [
        ("channel", "main", "qemu-amd64", "valid"),
        ("channel", "main", "qemu-arm64", "valid"),
        ("release", "main", None, "valid"),
        ("tag", "v1", None, "valid"),
    ]
