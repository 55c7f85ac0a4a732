# SPDX-License-Identifier: MIT
"""A product for several machines: what its file may say, and the index that groups the revisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.build import everymachine
from orchestrator.build.pipeline import BuildRequest
from orchestrator.build.workspace import workspace
from orchestrator.errors import ConfigError
from orchestrator.oci.descriptor import MANIFEST_TYPE, decode_index
from orchestrator.product.load import parse_product

FILE = """
product: demo
version: "1.0"
{}
layers:
  web: {{kind: app, from: {{bitbake: app-web}}}}
"""


def product(machines: str):
    return parse_product(Path("pycontainer.yaml"), FILE.format(machines))


def test_several_machines_are_named_in_order_and_the_first_is_the_usual_one() -> None:
    several = product("machines: [one, two]")
    assert (several.machine, several.machines) == ("one", ["one", "two"])
    single = product("machine: one")
    assert (single.machine, single.machines) == ("one", ["one"])


@pytest.mark.parametrize(
    ("machines", "says"),
    [
        ("", "what the product runs on is not said"),
        ("machines: []", "what the product runs on is not said"),
        ("machine: one\nmachines: [two]", "both given"),
        ("machines: [one, one]", "named twice"),
        ("machines: [One]", "machines"),
        ("machines: one", "machines"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(machines: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        product(machines)
    assert says in str(caught.value)


def test_each_machine_has_documents_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "pycontainer.yaml"
    file.write_text(FILE.format("machines: [one, two]"))
    several = product("machines: [one, two]")
    assert workspace(file, several).sbom == tmp_path / "build" / "sbom"
    assert workspace(file, several, "one").sbom == tmp_path / "build" / "sbom"
    assert workspace(file, several, "two").sbom == tmp_path / "build" / "sbom" / "two"


class _Revision:
    """What the index takes of a revision."""

    def __init__(self, number: int, machine: str, architecture: str) -> None:
        self.config = type("Config", (), {
            "product": "demo", "version": "1.0", "machine": machine, "architecture": architecture,
        })  # fmt: skip
        self.manifest = type("Manifest", (), {"artifact_type": "application/vnd.pycontainer.revision.v1"})
        self.descriptor = type("Descriptor", (), {
            "media_type": MANIFEST_TYPE, "digest": f"sha256:{number:064x}", "size": 7, "artifact_type": None,
        })  # fmt: skip


def test_the_release_index_is_an_oci_image_index_with_a_platform_a_revision() -> None:
    data = everymachine.release_index(
        [_Revision(1, "one", "amd64"), _Revision(2, "two", "arm64"), _Revision(3, "three", "armhf")]  # type: ignore[list-item]
    )
    index = decode_index(data)
    assert index.artifact_type == everymachine.RELEASE_TYPE
    assert [each.digest[-1] for each in index.manifests] == ["1", "2", "3"]
    entries = json.loads(data)["manifests"]
    assert [each["platform"] for each in entries] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
    ]
    assert [each["annotations"]["org.pycontainer.machine"] for each in entries] == ["one", "two", "three"]


def test_one_machine_is_built_when_it_is_asked_for_and_all_when_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pycontainer.yaml").write_text(FILE.format("machines: [one, two]"))
    asked: list[str | None] = []

    def build(request: BuildRequest, reporter: object):
        asked.append(request.machine)
        return type("Summary", (), {"revision": request.machine})

    monkeypatch.setattr(everymachine, "build_one", build)
    monkeypatch.setattr(everymachine.Store, "open", lambda path: None)
    monkeypatch.setattr(everymachine, "load_revision", lambda store, name: _Revision(len(name), name, "amd64"))
    (tmp_path / "build").mkdir()
    made = everymachine.build(BuildRequest(tmp_path, "two"), None)  # type: ignore[arg-type]
    assert (asked, made.index) == (["two"], None)
    made = everymachine.build(BuildRequest(tmp_path), None)  # type: ignore[arg-type]
    assert asked == ["two", "one", "two"]
    assert made.index == tmp_path / "build" / "demo-1.0.index.json"
    machines = [
        each["annotations"]["org.pycontainer.machine"] for each in json.loads(made.index.read_bytes())["manifests"]
    ]
    assert machines == ["one", "two"]
