# SPDX-License-Identifier: MIT
"""A product for several machines: what its file may say, and the index that groups the revisions."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from orchestrator.build import everymachine
from orchestrator.build.pipeline import BuildRequest
from orchestrator.build.workspace import workspace
from orchestrator.canonical import sha256_digest
from orchestrator.cli.result import one_machine
from orchestrator.errors import ConfigError
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


def test_whoever_works_for_one_machine_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pycontainer.yaml").write_text(FILE.format("machines: [one, two]"))
    for asked, said in ((None, "for one, the first of the product's machines; --machine names another (two)\n"),
                        ("two", ""), ("one", "")):  # fmt: skip
        _, place = one_machine(Namespace(product=tmp_path, machine=asked))
        assert (place.machine, capsys.readouterr().err) == (asked or "one", said)
    (tmp_path / "pycontainer.yaml").write_text(FILE.format("machine: one"))
    one_machine(Namespace(product=tmp_path))
    assert capsys.readouterr().err == ""


def test_each_machine_has_documents_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "pycontainer.yaml"
    file.write_text(FILE.format("machines: [one, two]"))
    several = product("machines: [one, two]")
    assert workspace(file, several).sbom == tmp_path / "build" / "sbom"
    assert workspace(file, several, "one").sbom == tmp_path / "build" / "sbom"
    assert workspace(file, several, "two").sbom == tmp_path / "build" / "sbom" / "two"


def test_one_machine_is_built_when_it_is_asked_for_and_all_when_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pycontainer.yaml").write_text(FILE.format("machines: [one, two]"))
    asked: list[str | None] = []

    def build(request: BuildRequest, reporter: object):
        asked.append(request.machine)
        return type("Summary", (), {"revision": request.machine, "to_data": staticmethod(dict)})

    monkeypatch.setattr(everymachine, "build_one", build)
    monkeypatch.setattr(everymachine.Store, "open", lambda path: None)
    monkeypatch.setattr(everymachine, "load_revision", lambda store, name: name)
    monkeypatch.setattr(everymachine, "release_bytes", lambda revisions: json.dumps(revisions).encode())
    (tmp_path / "build").mkdir()
    made = everymachine.build(BuildRequest(tmp_path, "two"), None)  # type: ignore[arg-type]
    assert (asked, made.index) == (["two"], None)
    made = everymachine.build(BuildRequest(tmp_path), None)  # type: ignore[arg-type]
    assert asked == ["two", "one", "two"]
    assert made.index == tmp_path / "build" / "demo-1.0.index.json"
    assert json.loads(made.index.read_bytes()) == ["one", "two"]
    digest = sha256_digest(made.index.read_bytes())
    assert made.to_data() == {"machines": [{}, {}], "release": digest, "index": str(made.index)}
