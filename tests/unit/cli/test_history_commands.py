# SPDX-License-Identifier: MIT
"""The commands of history as a user runs them, on a product whose builds take milliseconds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.cli.parser import make_parser
from orchestrator.product.load import load_product
from tests.unit.history.sample import WEB, Works

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Works:
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "keys"))
    made = Works(tmp_path / "product")
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield call
    signal.signal(signal.SIGTERM, before)


def test_a_new_product_is_one_that_loads(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    code, out, err = run("init", folder, "--json")
    assert code == 0, err
    assert json.loads(out)["product"] == "my-shop"
    product = load_product(folder / "pycontainer.yaml")
    assert (product.product, product.machine, product.base) == ("my-shop", "qemu-amd64", "debian")
    assert all((folder / each.source).exists() for layer in product.layers.values() for each in layer.files)
    assert (folder / ".gitignore").read_text() == "build/\n.pycontainer/\n"
    code, _, err = run("init", folder)
    assert code == 2
    assert "there is a product" in err


def test_init_says_what_to_do_next_and_keeps_what_is_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\nbuild/")
    code, out, err = run("init", tmp_path, "--name", "shop")
    assert code == 0, err
    assert f"pycontainer build {tmp_path}" in out
    assert (tmp_path / ".gitignore").read_text() == "*.log\nbuild/\n.pycontainer/\n"


@pytest.mark.parametrize(
    ("words", "machine", "base", "start"),
    [
        (("--machine", "raspberrypi5"), "raspberrypi5", "yocto", "flash"),
        (("--machine", "raspberrypi4-64"), "raspberrypi4-64", "debian", "flash"),
        (("--machine", "raspberrypi4-64", "--base", "yocto"), "raspberrypi4-64", "yocto", "flash"),
        (("--base", "yocto"), "qemux86-64", "yocto", "run"),
        (("--machine", "qemuarm64"), "qemuarm64", "yocto", "flash"),
    ],
)
def test_a_new_product_is_built_from_the_base_that_has_its_machine(
    run: Run, tmp_path: Path, words: tuple[str, ...], machine: str, base: str, start: str
) -> None:
    code, out, err = run("init", tmp_path / "kiosk", *words)
    assert code == 0, err
    assert f"pycontainer {start} " in out
    product = load_product(tmp_path / "kiosk" / "pycontainer.yaml")
    assert (product.machine, product.base) == (machine, base)
    recipes = [layer.source.bitbake for layer in product.layers.values()]
    known = {
        path.stem.partition("_")[0]
        for path in Path(__file__).parents[3].glob(f"meta-pycontainer{'-debian' if base == 'debian' else ''}/**/*.bb")
    }
    assert set(recipes) <= known


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--name", "Shop!"), "not a product's name"),
        (("--machine", "toaster"), "toaster"),
        (("--machine", "rockpro64", "--base", "yocto"), "rockpro64"),
    ],
)
def test_init_refuses_what_would_not_build(run: Run, tmp_path: Path, words: tuple[str, str], what: str) -> None:
    code, _, err = run("init", tmp_path / "new", *words)
    assert code == 2
    assert what in err
    assert not (tmp_path / "new" / "pycontainer.yaml").exists()


def test_init_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("mine")
    assert run("init", tmp_path, "--name", "shop")[0] == 2
    assert (tmp_path / "www" / "index.html").read_text() == "mine"


def test_the_way_of_a_change(run: Run, works: Works) -> None:
    works.build()
    code, out, _ = run("status")
    assert code == 0
    assert "No revision was committed yet" in out
    assert "+  web" in out
    code, out, _ = run("commit", "-m", "Begin", "-m", "More words")
    assert code == 0
    assert out.startswith("[main (first revision) ")
    assert "nothing to commit" in run("status")[1]
    works.build("1.1.0", "better", {**WEB, "nginx": ("1.28", "GPL-2.0-only")})
    out = run("status")[1]
    assert "~  web" in out and "version: 1.0.0 -> 1.1.0" in out
    assert "packages: 1 changed" in out
    assert "licences that are new: GPL-2.0-only" in out
    out = run("diff", "--packages")[1]
    assert "nginx" in out and "1.26 -> 1.28" in out and "BSD-2-Clause -> GPL-2.0-only" in out
    assert run("commit", "-m", "Go on")[0] == 0
    code, out, _ = run("log")
    assert "HEAD -> main" in out and "Begin" in out and "More words" in out and "Version:  demo 1.1.0" in out
    assert "*" not in out
    (works.folder / "www" / "index.html").write_text("edited")
    assert "modified:  www/index.html" in run("status")[1]


@pytest.mark.parametrize("with_store", [True, False])
def test_status_without_any_build(run: Run, works: Works, with_store: bool) -> None:
    works.write()
    if not with_store:
        shutil.rmtree(works.store.root)
    code, out, _ = run("status")
    assert code == 0
    assert "Nothing was built yet" in out
    assert json.loads(run("status", "--json")[1])["candidate"] is None


def test_json_of_every_command_is_one_object(run: Run, works: Works, tmp_path: Path) -> None:
    works.history("one", "two")
    works.build("3.0.0", "three")
    commands: list[tuple[object, ...]] = [
        ("status",), ("log",), ("log", "--show-signature", "--all"), ("show",), ("show", "main", "main~1"), ("diff",),
        ("diff", "main~1", "main", "--packages", "--files"), ("tag",), ("tag", "v1"), ("tag", "-d", "v1"),
        ("commit", "-m", "three"), ("checkout", "main~1", "--into", tmp_path / "out"), ("revert", "HEAD"),
        ("gc", "-n"), ("gc", "--keep", "2"), ("fsck",),
    ]  # fmt: skip
    for words in commands:
        code, out, err = run(*words, "--json")
        assert code == 0, (words, err)
        assert isinstance(json.loads(out), dict), words


def test_log_shows_names_and_who_signed(run: Run, works: Works) -> None:
    works.history("one", "two")
    run("tag", "v1", "main~1")
    out = run("log", "--oneline", "--show-signature")[1].splitlines()
    assert len(out) == 2
    assert "(HEAD -> main) signed 1.0.1  two" in out[0]
    assert "(tag: v1) signed 1.0.0  one" in out[1]
    assert len(run("log", "--oneline", "-n", "1")[1].splitlines()) == 1
    assert run("log", "--oneline", "v1")[1].splitlines() == [out[1].replace("signed ", "")]


def test_log_draws_lines_where_channels_part(run: Run, works: Works) -> None:
    works.history("one")
    works.build("2.0.0", "beta")
    run("commit", "-m", "beta", "--channel", "beta")
    out = run("log", "--all", "--oneline")[1]
    assert out.count("*") == 2
    assert "beta) 2.0.0  beta" in out


def test_log_of_a_message_that_would_steer_the_terminal(run: Run, works: Works) -> None:
    works.build()
    works.commit("red \x1b[31m and\x07 a bell")
    out = run("log")[1]
    assert "\x1b" not in out and "\x07" not in out
    assert "red" in out


def test_tags(run: Run, works: Works) -> None:
    first, second = works.history("one", "two")
    assert run("tag", "v1", "main~1")[0] == 0
    assert first.short in run("tag")[1]
    code, _, err = run("tag", "v1")
    assert code == 2 and "is there already" in err and first.short in err
    assert run("tag", "-f", "v1")[0] == 0
    assert second.short in run("tag")[1]
    assert run("tag", "-d", "v1")[0] == 0
    assert run("tag")[1].strip() == ""
    assert run("tag", "-d", "v1")[0] == 2
    code, _, err = run("tag", "-d", "candidate/qemu-amd64")
    assert code == 2 and "no tag of yours" in err
    assert run("tag", "main")[0] == 2
    assert {first.id, second.id} <= {entry.digest for entry in works.store.entries()}


def test_show_takes_revisions_or_a_products_folder(run: Run, works: Works, tmp_path: Path) -> None:
    first, second = works.history("one", "two")
    out = run("show", "HEAD")[1]
    assert second.hex in out and "What it changed:" in out and "~  web" in out
    assert first.hex in run("show", "HEAD~1")[1]
    code, out, _ = run("show", works.folder, "--json", "--revision", "main")
    assert code == 0 and json.loads(out)["revision"] == second.id
    assert json.loads(run("show", "-C", works.folder, "--json")[1])["revision"] == works.names.find("candidate")


def test_checkout_and_back(run: Run, works: Works) -> None:
    works.history("one", "two")
    (works.folder / "www" / "index.html").write_text("mine")
    code, _, err = run("checkout", "main~1")
    assert code == 2 and "would be lost" in err
    assert run("checkout", "main~1", "--force")[0] == 0
    assert (works.folder / "www" / "index.html").read_text() == "web one"
    code, out, _ = run("checkout", "main")
    assert code == 0 and "wrote    www/index.html" in out


def test_checkout_into_a_new_folder(run: Run, works: Works, tmp_path: Path) -> None:
    works.history("one", "two")
    code, _, err = run("checkout", "main~1", "--into", tmp_path / "old")
    assert code == 0, err
    assert (tmp_path / "old" / "www" / "index.html").read_text() == "web one"
    assert (works.folder / "www" / "index.html").read_text() == "web two"
    code, _, err = run("checkout", "main", "--into", tmp_path / "old")
    assert code == 2 and "is not empty" in err


def test_revert_and_go_back(run: Run, works: Works) -> None:
    works.history("one", "two", "three")
    code, out, _ = run("revert", "HEAD")
    assert code == 0 and 'Revert "three"' in out
    code, out, _ = run("revert", "--to", "HEAD~3", "-m", "From the start")
    assert code == 0 and "From the start" in out
    code, _, err = run("revert", "HEAD~2")
    assert code == 2 and "cannot be reverted by itself" in err


def test_gc_says_bytes_and_fsck_calls_the_store_whole(run: Run, works: Works) -> None:
    works.history("one")
    works.build("2.0.0", "lost")
    works.build("3.0.0", "newest")
    code, out, _ = run("gc", "--dry-run")
    assert code == 0 and out.startswith("would remove 2 revisions")
    code, out, _ = run("gc")
    assert code == 0 and out.startswith("removed 2 revisions") and "kB" in out
    code, out, _ = run("fsck")
    assert code == 0 and "the store is whole" in out


def test_fsck_of_a_damaged_store_ends_with_5_and_of_an_unsigned_one_with_7(
    run: Run, works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = works.history("one")[0]
    run("gc")
    with monkeypatch.context() as patch:
        patch.setenv("PYCONTAINER_KEYS", str(tmp_path / "others"))
        run("tag", "x")
        assert works.keys.keys
        code, out, _ = run("fsck")
        assert code == 7 and "not signed" in out and "pycontainer sign" in out
    path = works.store.blob_path(made.blobs()[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    code, out, _ = run("fsck")
    assert code == 5 and "DAMAGED" in out and made.blobs()[0].digest[:19] in out


def test_a_message_from_a_file_or_standard_input(
    run: Run, works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works.build()
    (tmp_path / "message").write_text("From a file\n\n# kept\n")
    assert run("commit", "-F", tmp_path / "message")[0] == 0
    assert works.names.load("main").config.message == "From a file\n\n# kept"
    assert run("commit", "-F", tmp_path / "none", "--allow-empty")[0] == 2
    code, _, err = run("commit", "--allow-empty")
    assert code == 2 and "no terminal" in err
    code, _, err = run("commit", "-m", "again")
    assert code == 2 and "nothing to commit" in err


def test_an_editor_is_asked_on_a_terminal(
    run: Run, works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.cli import history

    works.build()
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ncp "$1" "$(dirname "$0")/shown"\nprintf "Written\\n# not this\\n" > "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(history.sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    code, _, err = run("commit")
    assert code == 0, err
    assert works.names.load("main").config.message == "Written"
    assert "# Changes to be committed:" in (tmp_path / "shown").read_text()
    editor.write_text("#!/bin/sh\nexit 1\n")
    assert run("commit", "--allow-empty")[0] == 2


@pytest.mark.parametrize("word", ["status", "log", "show", "diff", "tag", "commit", "gc", "fsck", "revert"])
def test_without_a_product_or_a_store_that_is_said(run: Run, tmp_path: Path, word: str) -> None:
    more = {"commit": ["-m", "x"], "revert": ["HEAD"]}.get(word, [])
    code, _, err = run(word, *more, "-C", tmp_path / "nowhere")
    assert code == 2 and "product" in err and "Traceback" not in err


def test_both_parsers_know_the_commands_of_history() -> None:
    for words in (["log", "--oneline"], ["diff", "A", "B"], ["commit", "-m", "x"], ["gc", "--keep", "3"]):
        assert make_parser().parse_args(words).command is not None
    with pytest.raises(SystemExit):
        main(["gc", "--keep", "0"])


HEAVY = (
    "rich", "httpx", "kas", "shtab", "license_expression", "jinja2", "cryptography",
    "orchestrator.compliance", "orchestrator.sbom", "orchestrator.emulator", "orchestrator.registry",
    "orchestrator.cli.parser", "orchestrator.cli.commands",
)  # fmt: skip


@pytest.mark.parametrize("words", [["status"], ["log"], ["log", "--oneline"], ["diff"], ["diff", "--packages"]])
def test_what_must_be_quick_imports_nothing_heavy(works: Works, words: list[str]) -> None:
    works.history("one")
    works.build("2.0.0", "two")
    code = (
        "import sys\nfrom orchestrator.cli.main import main\n"
        f"code = main({words!r})\nprint('\\n'.join(sys.modules), file=sys.stderr)\nsys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=works.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = done.stderr.splitlines()
    assert not [name for name in HEAVY if name in loaded]


def test_a_revision_by_name_is_an_update_too(works: Works) -> None:
    from orchestrator.build.workspace import workspace
    from orchestrator.bundle import open_bundle
    from orchestrator.cli.update_bundle import bundle_of
    from orchestrator.errors import ConfigError

    first, second = works.history("one", "two")
    place = workspace(works.folder, load_product(works.folder / "pycontainer.yaml"))
    made = bundle_of(Path("main~1"), place)
    with open_bundle(made) as bundle:
        assert bundle.select().id == first.id
    assert bundle_of(made, place) == made
    assert second.short in bundle_of(Path("main"), place).name
    with pytest.raises(ConfigError, match="no revision 'mian'"):
        bundle_of(Path("mian"), place)
    assert bundle_of(Path("none.tar"), place) == Path("none.tar")
