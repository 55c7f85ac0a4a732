# SPDX-License-Identifier: MIT
"""`pycontainer key`, `trust`, `channel`, `sign` and `verify` as users run them, on a store with two revisions."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from orchestrator.cli.parser import make_parser
from orchestrator.history.names import Names, channel_tag
from orchestrator.oci import Store, fsck
from orchestrator.revision import Revision, set_candidate
from orchestrator.trust import load_keys, pointers, product_keys, read_roots, sign_revision
from tests.unit.bundle.conftest import NEW, make_revision
from tests.unit.cli.test_device_command import PRODUCT

Run = Callable[..., tuple[int, str, str]]
Shop = tuple[Path, Revision, Revision]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str, str]:
        code = main([*map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield call
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "keys"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "pycontainer.yaml").write_text(PRODUCT)
    store = Store.open_or_create(folder / ".pycontainer" / "store")
    signers = product_keys("demo").signers()
    found = [make_revision(store, "1.0.0"), make_revision(store, "1.0.1", NEW)]
    for each in found:
        sign_revision(store, each, signers)
    set_candidate(store, found[1])
    monkeypatch.chdir(folder)
    return folder, found[0], found[1]


def ok(answer: tuple[int, str, str]) -> str:
    assert answer[0] == 0, answer
    return answer[1]


def data(answer: tuple[int, str, str]) -> dict[str, Any]:
    return dict(json.loads(ok(answer)))


def test_keys_are_listed_made_exported_imported_and_removed(run: Run, product: Shop, tmp_path: Path) -> None:
    out = ok(run("key"))
    assert "signing" in out
    assert "1 of 1 must sign a revision" in out
    ok(run("key", "new", "second", "--no-passphrase"))
    listed = data(run("key", "ls", "--json"))
    assert [(each["name"], each["roles"], each["private"]) for each in listed["keys"]] == [
        ("second", ["channel", "revision"], True), ("signing", ["channel", "revision"], True),
    ]  # fmt: skip
    assert data(run("key", "-C", product[0], "--json")) == listed
    for form in ("pem", "json", "ssh"):
        file = tmp_path / f"second.{form}"
        ok(run("key", "export", "second", "--form", form, "-o", file))
        name = f"of-{form}"
        code, _, err = run("key", "import", name, file)
        assert code == 7
        assert "here already, as 'second'" in err
        ok(run("key", "import", name, file, "--product-name", f"other-{form}"))
        (there,) = load_keys(f"other-{form}").keys
        assert there.public.keyid == listed["keys"][0]["keyid"]
        assert not there.private
    assert ok(run("key", "export", "second")).startswith("-----BEGIN PUBLIC KEY-----")
    assert data(run("key", "threshold", "2", "--json"))["threshold"] == 2
    assert run("key", "threshold", "3")[0] == 2
    assert run("key", "rm", "second", "--yes")[0] == 7
    ok(run("key", "threshold", "1"))
    code, _, err = run("key", "rm", "second")
    assert code == 2
    assert "--yes" in err
    assert "second.key.pem" in ok(run("key", "rm", "second", "--yes"))
    code, _, err = run("key", "export", "nobody")
    assert code == 2
    assert "signing" in err


def test_a_private_key_is_not_imported(run: Run, product: Shop) -> None:
    code, _, err = run("key", "import", "x", load_keys("demo").folder / "signing.key.pem")
    assert code == 7
    assert "holds a private key" in err


def test_passphrases_are_changed(run: Run, product: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = load_keys("demo").folder / "signing.key.pem"
    monkeypatch.setenv("PYCONTAINER_KEY_PASSPHRASE_NEW", "correct horse")
    ok(run("key", "passphrase", "signing"))
    assert b"ENCRYPTED" in file.read_bytes()
    code, _, err = run("sign")
    assert code == 7
    assert "PYCONTAINER_KEY_PASSPHRASE" in err
    monkeypatch.setenv("PYCONTAINER_KEY_PASSPHRASE", "correct horse")
    ok(run("sign"))
    ok(run("key", "passphrase", "signing", "--remove"))
    assert b"ENCRYPTED" not in file.read_bytes()


def test_the_step_to_roles_and_a_rotation(run: Run, product: Shop) -> None:
    assert "no root document" in ok(run("trust"))
    out = ok(run("trust", "init"))
    assert "root document 1 is in force" in out
    shown = data(run("trust", "--json"))
    assert {name: role["threshold"] for name, role in shown["roles"].items()} == {
        "root": 1, "channel": 1, "revision": 1
    }  # fmt: skip
    assert run("trust", "init")[0] == 2
    out = ok(run("key", "rotate", "signing", "--no-passphrase"))
    assert "root document 2 is in force" in out
    code, out, err = run("verify")
    assert (code, out) == (7, ""), "the old key alone signed it"
    assert re.search(r"FAILED\s+threshold", err)
    code, out, _ = run("verify", "--json")
    failed = json.loads(out)
    assert (code, failed["passed"], failed["error"]["exitCode"]) == (7, False, 7)
    assert failed["steps"][-1]["outcome"] == "failed"
    ok(run("sign"))
    steps = data(run("verify", "--json"))["steps"]
    assert [step["name"] for step in steps][:2] == ["root 1", "root 2"]
    ok(run("trust", "renew", "--expires", "30"))
    assert data(run("trust", "--json"))["expires"]
    ok(run("key", "new", "more", "--no-passphrase"))
    assert "root document 4 is in force" in ok(run("trust", "assign", "more", "--role", "channel"))
    assert "root document 5 is in force" in ok(run("key", "rm", "more", "--yes"))
    assert ok(run("key", "ls")).count("retired") == 0


def test_an_offline_root_signs_by_files(
    run: Run, product: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, hers = str(tmp_path / "keys"), str(tmp_path / "hers")
    public, document = tmp_path / "alice.pem", tmp_path / "root.1.json"
    monkeypatch.setenv("PYCONTAINER_KEYS", hers)
    monkeypatch.chdir(tmp_path)
    ok(run("key", "new", "alice", "--role", "root", "--product-name", "demo", "--no-passphrase"))
    ok(run("key", "export", "alice", "--product-name", "demo", "-o", public))
    assert [each["name"] for each in data(run("key", "--product-name", "demo", "--json"))["keys"]] == ["alice"]
    monkeypatch.setenv("PYCONTAINER_KEYS", ours)
    monkeypatch.chdir(product[0])
    ok(run("key", "import", "alice", public, "--role", "root"))
    assert "waits for signatures" in ok(run("trust", "init"))
    assert "1 more of the root keys" in ok(run("trust"))
    assert load_keys("demo").chain is None
    ok(run("trust", "export", "--pending", "-o", document))
    code, _, err = run("trust", "sign", document)
    assert code == 7
    assert "sign where one of them is" in err
    monkeypatch.setenv("PYCONTAINER_KEYS", hers)
    out = ok(run("trust", "sign", document))
    assert "root: 1 of" in out
    monkeypatch.setenv("PYCONTAINER_KEYS", ours)
    assert "is in force" in ok(run("trust", "import", document))
    assert "nothing new" in ok(run("trust", "import", document))
    # Somebody else follows from the key's id alone.
    keyid = load_keys("demo").role("root").keys[0].keyid
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "theirs"))
    assert run("trust", "import", document)[0] == 2
    assert run("trust", "import", document, "--root-key", "0" * 64)[0] == 7
    ok(run("trust", "import", document, "--root-key", keyid))
    assert run("verify")[0] == 0
    assert run("sign")[0] == 7, "no private key is here"


def test_a_channel_stands_for_a_revision(run: Run, product: Shop) -> None:
    folder, first, second = product
    assert "no channel" in ok(run("channel"))
    out = ok(run("channel", "set", "stable", first.short))
    assert "stable for qemu-amd64, version 1" in out
    store = Store.open(folder / ".pycontainer" / "store")
    assert store.tags()[channel_tag("stable", "qemu-amd64")].digest == first.id
    code, _, err = run("channel", "set", "stable", "candidate")
    assert code == 2
    assert "--force" in err
    ok(run("channel", "set", "stable", "candidate", "--force", "--security-version", "3", "--floor", "3"))
    assert Names(store, "qemu-amd64").load("stable").id == second.id
    listed = data(run("channel", "--json"))["channels"]
    assert [(each["version"], each["revision"], each["floor"], each["published"]) for each in listed] == [
        (2, second.id, 3, False)
    ]
    code, _, err = run("channel", "set", "stable", first.short, "--force")
    assert code == 7
    assert "below the floor" in err
    assert "ok" in ok(run("channel", "show", "stable"))
    ok(run("channel", "sign", "stable"))
    steps = data(run("verify", "--json"))["steps"]
    assert "channel" in [step["name"] for step in steps]
    old = data(run("verify", first.short, "--json"))["steps"]
    assert not [step for step in old if step["outcome"] == "failed"]
    assert fsck(store).whole
    assert run("channel", "show", "nothing")[0] == 2
    assert run("channel", "set", "a.b")[0] == 2


def test_verify_takes_a_name_a_folder_or_a_bundle(run: Run, product: Shop, tmp_path: Path) -> None:
    folder, first, second = product
    assert data(run("verify", "--json"))["revision"] == second.id
    assert data(run("verify", first.short, "--json"))["revision"] == first.id
    assert data(run("verify", folder, "--json"))["revision"] == second.id
    assert data(run("verify", folder, "--revision", first.short, "--json"))["revision"] == first.id
    bundle = tmp_path / "b.tar"
    ok(run("bundle", "create", "-o", bundle))
    assert data(run("verify", bundle, "--json"))["bundle"] == str(bundle)
    code, _, err = run("verify", "nothing")
    assert code == 2
    assert "nothing" in err


def test_signatures_for_cosign_are_told_by_verify(run: Run, product: Shop) -> None:
    _, _, second = product
    made = data(run("sign", "--cosign", "--json"))
    assert made["cosign"]
    ok(run("key", "rotate", "signing", "--no-passphrase"))
    ok(run("sign", "--cosign"))
    store = Store.open(product[0] / ".pycontainer" / "store")
    steps = [step for step in data(run("verify", "--json"))["steps"] if step["name"].startswith("cosign")]
    assert [step["outcome"] for step in steps] == ["passed", "passed"]
    assert len(store.referrers(second.id, "application/vnd.dev.cosign.artifact.sig.v1+json")) == 1
    assert fsck(store).whole


@pytest.mark.parametrize("word", ["key", "trust", "channel"])
def test_an_action_takes_what_was_said_before_or_after_it(word: str) -> None:
    parser = make_parser()
    before = parser.parse_args([word, "-C", "/x", "--json", "show" if word != "key" else "ls"])
    after = parser.parse_args([word, "show" if word != "key" else "ls", "-C", "/x", "--json"])
    assert (before.product, before.json) == (after.product, after.json) == (Path("/x"), True)
    assert parser.parse_args([word]).json is False


def test_the_collector_of_garbage_keeps_what_trust_needs(run: Run, product: Shop) -> None:
    folder, first, second = product
    ok(run("trust", "init"))
    ok(run("channel", "set", "main", "candidate", "--force"))
    ok(run("channel", "set", "stable", first.short))
    ok(run("channel", "set", "main", first.short, "--force"))
    ok(run("sign", "--cosign"))
    ok(run("gc"))
    store = Store.open(folder / ".pycontainer" / "store")
    assert [each.root.version for each in read_roots(store)] == [1]
    assert [(each.pointer.channel, each.pointer.version) for each in pointers(store)] == [("main", 2), ("stable", 1)]
    assert [step["outcome"] for step in data(run("verify", "--json"))["steps"]].count("failed") == 0
    assert data(run("channel", "show", "--json"))["verification"]["passed"]
    assert fsck(store).whole
    assert store.has_blob(second.id)
