# SPDX-License-Identifier: MIT
"""Revisions and images over Debian's docker-registry, with skopeo and buildah at the other end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from orchestrator.errors import FetchError
from orchestrator.oci import Store, fsck
from orchestrator.oci.platform import Platform
from orchestrator.registry import (
    DeniedError,
    Patience,
    Place,
    Remote,
    Repository,
    Session,
    Web,
    immutable_tag,
    parse_reference,
    pull,
    pull_image,
    push,
    resolve_image,
)
from tests.integration.registry.conftest import PASSWORD, BadLine, Server, bad_line, know
from tests.unit.registry.conftest import make_revision
from tests.unit.registry.test_delta import revision as revision_of

pytestmark = pytest.mark.usefixtures("home")
EAGER = Patience(first_delay=0.01, longest_delay=0.05)
REVISION = "application/vnd.pycontainer.revision.v1"


def call(*words: str | Path) -> str:
    return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout


def skopeo(*words: str | Path) -> str:
    return call("skopeo", "--insecure-policy", *words)


def digests(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs" / "sha256").iterdir()}


def test_a_revision_goes_there_and_back_with_all_that_is_attached(plain: Server, store: Store, other: Store):
    revision = make_revision(store, 10, 2_000_000, 30_000_000, attached=3)
    reference = parse_reference(f"{plain.host}/there/and/back:stable")
    sent = push(store, revision.digest, reference.repository, ["stable", "1.0"])
    assert push(store, revision.digest, reference.repository, ["stable"]).moved == 0
    got = pull(reference, other, artifact_type=REVISION)
    # The revision, its three documents, and the chunk index.
    assert (got.digest, got.manifests, got.moved) == (revision.digest, 5, sent.moved)
    assert digests(other.root) == digests(store.root)
    assert fsck(other).whole
    assert len(other.referrers(revision.digest, "application/spdx+json")) == 3
    assert pull(reference, other).moved == 0
    with Web() as web:
        tags = Remote(Session(web, Place(reference.repository))).tags()
    assert {"stable", "1.0", immutable_tag(revision.digest)} <= set(tags)


def test_skopeo_reads_what_we_push_and_we_what_it_pushes(plain: Server, store: Store, other: Store, tmp_path: Path):
    revision = make_revision(store, 10, 2_000_000, attached=0)
    own = digests(store.root)  # a push attaches indexes for small downloads, which skopeo passes over as all referrers
    ours = parse_reference(f"{plain.host}/skopeo/ours:1")
    push(store, revision.digest, ours.repository, ["1"])
    skopeo("copy", "--src-tls-verify=false", f"docker://{ours}", f"oci:{tmp_path / 'layout'}:x")
    assert digests(tmp_path / "layout") == own < digests(store.root)
    skopeo("copy", "--dest-tls-verify=false", f"oci:{tmp_path / 'layout'}:x", f"docker://{plain.host}/skopeo/its:1")
    assert pull(parse_reference(f"{plain.host}/skopeo/its:1"), other).digest == revision.digest
    assert digests(other.root) == own


def test_blobs_are_mounted_from_another_repository(plain: Server, store: Store):
    revision = make_revision(store, 5_000_000, attached=1)
    push(store, revision.digest, Repository(plain.host, "mount/from"))
    assert push(store, revision.digest, Repository(plain.host, "mount/to"), mount_from=["mount/from"]).moved == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, plain: Server) -> str:
    """An image that buildah made for two platforms, with an index, pushed by it; returns its reference."""
    folder = tmp_path_factory.mktemp("buildah")
    buildah = ["buildah", "--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs"]
    (folder / "noise").write_bytes(os.urandom(3_000_000))
    call(*buildah, "manifest", "create", "both")
    for architecture in ("arm64", "amd64"):
        container = call(*buildah, "from", "scratch").strip()
        (folder / "which").write_text(architecture)
        call(*buildah, "copy", container, folder / "noise", folder / "which", "/")
        call(*buildah, "config", "--arch", architecture, "--entrypoint", '["/which"]', container)
        name = call(*buildah, "commit", "-q", "--rm", "--timestamp", "0", container, f"one-{architecture}").strip()
        call(*buildah, "manifest", "add", "both", name)
    reference = f"{plain.host}/built/app:1"
    call(*buildah, "manifest", "push", "--all", "--tls-verify=false", "both", f"docker://{reference}")
    return reference


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_right_platform_of_an_image_of_buildah_comes(image: str, architecture: str, tmp_path: Path):
    pulled = pull_image(parse_reference(image), Platform("linux", architecture), tmp_path / "layout")
    raw = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{image}"))
    wanted = [each["digest"] for each in raw["manifests"] if each["platform"]["architecture"] == architecture]
    assert [pulled.manifest] == wanted
    store = Store.open(pulled.folder)
    assert fsck(store).whole
    config = json.loads(store.read_blob(json.loads(store.read_blob(pulled.manifest))["config"]["digest"]))
    assert config["architecture"] == architecture
    assert pull_image(parse_reference(image), Platform("linux", architecture), tmp_path / "layout").moved == 0


def test_docker_schema_2_and_a_second_tag_are_pulled(image: str, plain: Server, tmp_path: Path):
    copy = f"{plain.host}/built/docker:2"
    tls = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    skopeo("copy", *tls, "--format", "v2s2", "--override-arch", "amd64", f"docker://{image}", f"docker://{copy}")
    pulled = pull_image(parse_reference(copy), Platform("linux", "amd64"), tmp_path / "layout")
    manifest = json.loads(Store.open(pulled.folder).read_blob(pulled.manifest))
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert resolve_image(parse_reference(copy)) == pulled.digest


def test_a_password_and_an_authority_of_ones_own(secure: Server, home: Path, store: Store, other: Store):
    revision = make_revision(store, 10, 2_000_000, attached=1)
    reference = parse_reference(f"{secure.host}/closed/shop:1")
    with pytest.raises(FetchError, match="not trusted"):
        push(store, revision.digest, reference.repository)
    know(home, secure)
    push(store, revision.digest, reference.repository, ["1"])
    assert pull(reference, other).digest == revision.digest
    (home / "auth.json").unlink()
    with pytest.raises(DeniedError, match="without credentials"):
        pull(reference, other)
    wrong = {"auths": {secure.host: {"auth": "c2hvcDp3cm9uZw=="}}}
    (home / "auth.json").write_text(json.dumps(wrong))
    with pytest.raises(DeniedError) as caught:
        pull(reference, other)
    assert PASSWORD not in str(caught.value)


def test_a_helper_program_gives_the_password(
    secure: Server, home: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    know(home, secure)
    (home / "auth.json").write_text(json.dumps({"credHelpers": {secure.host: "test"}}))
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nread host\necho \'{{"Username":"shop","Secret":"{PASSWORD}"}}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    revision = make_revision(store, 10, attached=0)
    assert push(store, revision.digest, Repository(secure.host, "helper/shop")).digest == revision.digest


def test_a_mirror_gives_what_the_registry_is_not_asked_for(image: str, plain: Server, home: Path, tmp_path: Path):
    (home / "registries.conf").write_text(
        '[[registry]]\nprefix="registry.invalid"\nlocation="127.0.0.1:1"\n'
        f'[[registry.mirror]]\nlocation="{plain.host}/built"\n'
    )
    pulled = pull_image(parse_reference("registry.invalid/app:1"), Platform("linux", "amd64"), tmp_path / "layout")
    assert pulled.moved > 3_000_000


def test_a_line_that_cuts_slows_and_spoils_costs_time_and_nothing_else(plain: Server, store: Store, other: Store):
    revision = make_revision(store, 12_000_000, attached=1)
    reference = parse_reference(f"{plain.host}/bad/line:1")
    push(store, revision.digest, reference.repository, ["1"])
    line = BadLine(plain.port, cut_after=3_000_000, cuts=3, spoil_at=500_000, spoils=1, pause=0.0005)
    with bad_line(line), Web(patience=EAGER) as web:
        got = pull(parse_reference(f"127.0.0.1:{line.port}/bad/line:1"), other, web=web)
    assert (line.cuts, line.spoils) == (0, 0)
    assert got.moved > 12_000_000  # what was spoiled came again
    assert fsck(other).whole
    assert digests(other.root) == digests(store.root)


def test_an_upload_over_a_line_that_cuts_arrives(plain: Server, store: Store, other: Store):
    revision = make_revision(store, 12_000_000, attached=1)
    line = BadLine(plain.port, cut_after=4_000_000, cuts=2, both_ways=True)
    with bad_line(line), Web(patience=EAGER) as web:
        push(store, revision.digest, Repository(f"127.0.0.1:{line.port}", "bad/upload"), ["1"], web=web)
    assert line.cuts == 0
    assert pull(parse_reference(f"{plain.host}/bad/upload:1"), other).digest == revision.digest


@pytest.mark.parametrize("bad", [False, True], ids=["a good line", "a line that cuts"])
def test_of_a_changed_image_only_what_differs_is_fetched(plain: Server, store: Store, other: Store, bad: bool):
    old = Random(1).randbytes(20_000_000)
    new = b"".join(old[at : at + 990_000] + b"changed" * 1000 for at in range(0, len(old), 1_000_000))
    before, after = revision_of(store, old), revision_of(store, new)
    repository = Repository(plain.host, "delta/bad" if bad else "delta/good")
    for each in (before, after):
        push(store, each.digest, repository)
    pull(parse_reference(f"{repository}@{before.digest}"), other)
    line = BadLine(plain.port, cut_after=300_000, cuts=2, pause=0.0005)
    with bad_line(line), Web(patience=EAGER) as web:
        host = f"127.0.0.1:{line.port}" if bad else plain.host
        got = pull(parse_reference(f"{host}/{repository.name}@{after.digest}"), other, web=web)
    assert line.cuts == (0 if bad else 2)
    assert got.moved < 1_500_000
    assert fsck(other).whole
    assert digests(other.root) == digests(store.root)
