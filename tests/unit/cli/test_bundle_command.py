# SPDX-License-Identifier: MIT
"""`pycontainer bundle` as a user runs it, on a product whose store holds two revisions."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.cli.parser import make_parser
from orchestrator.oci import Store
from orchestrator.revision import Revision, set_candidate
from orchestrator.trust import add_public_key, keys_folder, sign_revision
from tests.unit.bundle.conftest import KEY, NEW, OTHER, make_revision
from tests.unit.cli.test_device_command import PRODUCT

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Revision, Revision]:
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "keys"))
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "pycontainer.yaml").write_text(PRODUCT)
    store = Store.open_or_create(folder / ".pycontainer" / "store")
    first, second = make_revision(store, "1.0.0"), make_revision(store, "1.0.1", NEW)
    set_candidate(store, second)
    add_public_key("demo", "ours", KEY.public)
    return folder, first, second


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str, str]:
        code = main(["bundle", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield call
    signal.signal(signal.SIGTERM, before)


def test_a_bundle_is_made_checked_and_listed(run: Run, product: tuple[Path, Revision, Revision]) -> None:
    folder, _, second = product
    code, out, err = run("create", folder)
    made = folder / "build" / f"demo-qemu-amd64-{second.short}.tar"
    assert code == 0, err
    assert made.is_file()
    assert f"revision {second.short} (1.0.1)" in out
    code, out, err = run("verify", made)
    assert code == 0, err
    assert "1 of the 1 trusted keys signed it" in out
    assert "each with its digest" in out
    code, out, _ = run("ls", made)
    assert code == 0
    assert second.short in out
    assert "1.0.1" in out
    listed = json.loads(run("ls", made, "--json")[1])["revisions"]
    assert [(entry["revision"], entry["absent"], entry["documents"]) for entry in listed] == [(second.id, [], 5)]


def test_several_revisions_and_a_base(run: Run, product: tuple[Path, Revision, Revision], tmp_path: Path) -> None:
    folder, first, second = product
    out = tmp_path / "b"
    code, text, _ = run("create", folder, "--revision", first.short, "--revision", "v1.0.1", "-o", out, "--json")
    assert code == 0
    assert json.loads(text)["revisions"] == [first.id, second.id]
    assert (out / "oci-layout").is_file()
    delta = tmp_path / "delta.tar"
    code, text, _ = run("create", folder, "--base", first.short, "-o", delta)
    assert code == 0
    assert f"without 12 blobs, 134 B, that revision {first.short} has" in text
    code, text, _ = run("verify", delta)
    assert code == 0
    assert f"in base {first.short}" in text
    assert "bootloader efi" in text
    data = json.loads(run("verify", delta, "--json")[1])["revisions"][0]
    assert data["base"] == first.id
    assert len(data["absent"]) == 8
    assert data["keys"] == [KEY.public.keyid]
    assert run("ls", delta)[1].count(first.short) == 1


def test_damage_is_5_and_signatures_are_7(
    run: Run, product: tuple[Path, Revision, Revision], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _, _ = product
    bundle = tmp_path / "b.tar"
    assert run("create", folder, "-o", bundle)[0] == 0
    data = bundle.read_bytes()
    place = data.index(NEW)
    bundle.write_bytes(data[:place] + b"x" + data[place + 1 :])
    code, _, err = run("verify", bundle)
    assert code == 5
    assert "is not whole" in err
    bundle.write_bytes(data[: len(data) // 2])
    assert run("verify", bundle)[0] == 5
    bundle.write_bytes(data)
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "strangers"))
    assert run("verify", bundle)[0] == 7
    add_public_key("demo", "theirs", OTHER.public)
    code, _, err = run("verify", bundle)
    assert code == 7
    assert "0 of the 1 trusted keys signed it" in err


def test_a_bundle_for_another_product_is_refused(
    run: Run, product: tuple[Path, Revision, Revision], tmp_path: Path
) -> None:
    folder, _, _ = product
    assert run("create", folder, "-o", tmp_path / "b.tar")[0] == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "pycontainer.yaml").write_text(PRODUCT.replace("product: demo", "product: kiosk"))
    add_public_key("kiosk", "ours", KEY.public)
    assert run("verify", tmp_path / "b.tar", "--product", folder)[0] == 0
    code, _, err = run("verify", tmp_path / "b.tar", "--product", other)
    assert code == 7
    assert "not for 'kiosk'" in err


def test_what_is_not_signed_as_required_makes_no_bundle(
    run: Run, product: tuple[Path, Revision, Revision], tmp_path: Path
) -> None:
    folder, first, _ = product
    add_public_key("demo", "theirs", OTHER.public)
    (keys_folder("demo") / "trust.json").write_text('{"schemaVersion":1,"threshold":2}')
    code, _, err = run("create", folder, "--revision", first.short, "-o", tmp_path / "b.tar")
    assert code == 7, err
    assert not (tmp_path / "b.tar").exists()
    sign_revision(Store.open(folder / ".pycontainer" / "store"), first, [OTHER])
    assert run("create", folder, "--revision", first.short, "-o", tmp_path / "b.tar")[0] == 0


def test_wrong_names_are_usage(run: Run, product: tuple[Path, Revision, Revision], tmp_path: Path) -> None:
    folder, _, _ = product
    for words in (["create", folder, "--revision", "nope"], ["ls", tmp_path / "none.tar"], ["create", tmp_path]):
        code, _, err = run(*words)
        assert code == 2, err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_the_verbs(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "--print-completion", shell],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    for word in ("bundle", "device", "rollback", "--base", "--label"):
        assert word in done.stdout


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = "status ps logs exec start stop restart install try update confirm rollback revisions gc volumes identity"
    lines = [["device", verb] for verb in f"{verbs} reboot poweroff version".split()]
    lines += [["bundle", action] for action in ("create", "verify", "ls")]
    for words in [*lines, ["device"], ["bundle"], ["run"]]:
        with pytest.raises(SystemExit) as caught:
            make_parser().parse_args([*words, "--help"])
        assert caught.value.code == 0
        assert "usage: pycontainer " + " ".join(words) in capsys.readouterr().out
