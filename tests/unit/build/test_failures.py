# SPDX-License-Identifier: MIT
"""A failed BitBake run becomes one error of ours: what, why, what to do, and the right exit code."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from orchestrator.build.base import _no_recipe
from orchestrator.build.events import Outcome
from orchestrator.build.kas import KasRun, NoRecipeError, _failure, configuration
from orchestrator.build.workspace import Workspace
from orchestrator.errors import BuildError, ConfigError, FetchError, TryAgainError
from orchestrator.machines.read import checkout
from orchestrator.product import load_product
from orchestrator.progress import Task


@pytest.fixture
def run(tmp_path: Path) -> KasRun:
    log = tmp_path / "kas.log"
    log.write_text("")
    return KasRun(tmp_path, tmp_path / "kas.yml", tmp_path / "b", (), {}, log)


def failed(tmp_path: Path, name: str, log: str) -> Outcome:
    path = tmp_path / "log.task"
    path.write_text(log)
    return Outcome(failed=[Task("grub", name, "failed", log=str(path))])


def test_a_recipes_own_three_lines_are_taken_over(run: KasRun, tmp_path: Path):
    outcome = failed(tmp_path, "do_fetch", "")
    outcome.errors.append("grub do_fetch: a source cannot be had\n  why: connection refused\n  do: check the network")
    error = _failure(run, outcome, 1)
    assert isinstance(error, FetchError)
    assert error.exit_code == 3
    assert (error.what, error.hint) == ("grub: fetch failed", "check the network")
    assert "connection refused" in error.why


def test_an_exception_in_a_task_is_named_by_its_last_line(run: KasRun, tmp_path: Path):
    error = _failure(
        run, failed(tmp_path, "do_install", "File: 'x', lineno: 1\nException: KeyError: 'y'\nDEBUG: z\n"), 1
    )
    assert isinstance(error, BuildError)
    assert error.why == "KeyError: 'y'"
    assert "log.task" in error.hint


def test_an_exception_that_only_the_events_tell_is_named(run: KasRun, tmp_path: Path):
    outcome = failed(tmp_path, "do_fetch", "2026 - 'x.deb' saved [1/1]\nDEBUG: Python function do_fetch finished\n")
    outcome.errors += ["ERROR: Build of do_fetch failed", "Traceback (most recent call last):\n  File x\n"
                       "FileNotFoundError: [Errno 2] No such file or directory: 'zstd'\n"]  # fmt: skip
    assert _failure(run, outcome, 1).why == "FileNotFoundError: [Errno 2] No such file or directory: 'zstd'"


def test_a_full_disk_asks_to_try_again(run: KasRun, tmp_path: Path):
    error = _failure(run, failed(tmp_path, "do_install", "Exception: OSError: No space left on device\n"), 1)
    assert isinstance(error, TryAgainError)
    assert error.exit_code == 75


def test_a_failure_before_any_task_says_what_bitbake_said(run: KasRun):
    run.log.write_text("ERROR: ParseError at x.bb:1\nERROR: Parsing halted\n")
    error = _failure(run, Outcome(), 1)
    assert error.what == "ParseError at x.bb:1"
    assert str(run.log) in error.hint


def test_a_resolver_without_network_is_a_fetch_error(run: KasRun):
    outcome = Outcome(
        errors=["packages cannot be resolved\n  why: connection refused by the mirror\n  do: set a mirror"]
    )
    error = _failure(run, outcome, 1)
    assert isinstance(error, FetchError)
    assert error.hint == "set a mirror"


def test_a_silent_failure_still_names_the_log(run: KasRun):
    error = _failure(run, Outcome(), 3)
    assert "status 3" in error.what
    assert str(run.log) in error.hint


def test_an_unknown_machine_is_answered_with_those_there_are():
    with pytest.raises(ConfigError) as caught:
        configuration(checkout(), "debian", "toaster")
    assert "qemu-amd64" in caught.value.hint
    assert caught.value.hint.endswith("; pycontainer machines lists those of every base")


def test_a_machine_of_another_base_is_told_whose_it_is():
    with pytest.raises(ConfigError) as caught:
        configuration(checkout(), "yocto", "rockpro64")
    assert caught.value.hint.endswith("; the base debian has it")


def test_of_what_kas_logs_the_error_is_told(run: KasRun):
    run.log.write_text(
        "2026-01-02 03:04:05 - INFO     - kas 5.5 started\n2026-01-02 03:04:05 - ERROR    - file not found: x.yml\n"
    )
    assert _failure(run, Outcome(), 2).what == "file not found: x.yml"
    run.log.write_text("2026-01-02 03:04:05 - INFO     - kas started\n2026-01-02 03:04:06 - INFO     - ERROR: bad\n")
    assert _failure(run, Outcome(), 1).what == "bad"


@pytest.mark.parametrize(
    "text", ["No new tasks can be executed since the disk space monitor action is STOPTASKS!",
             "Immediately halt since the disk space monitor action is HALT!"]
)  # fmt: skip
def test_bitbakes_own_stop_for_a_full_disk_asks_to_try_again_and_names_the_room(run: KasRun, text: str):
    run.build_dir.mkdir()
    assert _failure(run, Outcome(failed=[Task("x", "do_install", "failed")], errors=[text]), 1).exit_code == 75
    error = _failure(run, Outcome(errors=[text]), 1)
    assert error.exit_code == 75
    assert f"MB are free now in {run.build_dir}" in error.why


def test_a_task_that_fails_without_a_word_on_a_scarce_disk_is_a_full_disk(
    run: KasRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(tmp_path)
    run.build_dir.mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000_000))
    outcome = failed(tmp_path, "do_install", "DEBUG: Executing python function do_install\n")
    outcome.errors.append("")
    assert _failure(run, outcome, 1).exit_code == 75
    assert _failure(run, failed(tmp_path, "do_install", "Exception: KeyError: 'y'\n"), 1).exit_code == 4


def test_a_package_that_the_switched_off_network_would_bring_is_a_fetch_error(run: KasRun):
    text = "Debian packages are not pinned yet, and the network is switched off\n  why: x\n  do: build once"
    assert _failure(run, Outcome(errors=[text]), 2).exit_code == 3


def test_a_recipe_that_is_none_is_named_where_the_product_file_names_it(run: KasRun):
    error = _failure(run, Outcome(errors=["Nothing PROVIDES 'app-ngnix'. Close matches: app-nginx"]), 1)
    assert isinstance(error, NoRecipeError)
    assert "Close matches" in error.why
    demo = checkout() / "examples" / "demo" / "pycontainer.yaml"
    product = load_product(demo)
    source = msgspec.structs.replace(product.layers["web"].source, bitbake="app-ngnix")
    web = msgspec.structs.replace(product.layers["web"], source=source)
    product = msgspec.structs.replace(product, layers={**product.layers, "web": web})
    told = _no_recipe(error, product, Workspace(demo, "demo", "qemu-amd64"), checkout())
    assert isinstance(told, ConfigError)
    assert "layers.web.from.bitbake: no recipe app-ngnix" in told.what
    assert told.hint == "did you mean 'app-nginx'?"
    assert _no_recipe(NoRecipeError("other", "", ""), product, Workspace(demo, "d", "m"), checkout()).exit_code == 4


KAS_OUTPUT = """\
2026-11-26 22:11:06 - INFO     - kas 5.5 started
2026-11-26 22:11:06 - INFO     - Cloning repository bitbake
2026-11-26 22:11:06 - ERROR    - Command "/home/me/pycontainer$ git {words}" failed:
{said}
2026-11-26 22:11:06 - ERROR    - fetch repos failed: error code 128
"""


def test_a_repository_that_cannot_be_cloned_is_a_fetch_error_in_gits_words(run: KasRun):
    said = "fatal: unable to access 'https://git.example/bitbake/': Could not resolve host: git.example"
    run.log.write_text(KAS_OUTPUT.format(words="clone -q -- https://git.example/bitbake .repos/bitbake", said=said))
    error = _failure(run, Outcome(), 2)
    assert isinstance(error, FetchError)
    assert error.what == "the repository https://git.example/bitbake cannot be fetched"
    assert error.why == "unable to access 'https://git.example/bitbake/': Could not resolve host: git.example"
    assert "KAS_PREMIRRORS" in error.hint


def test_a_pinned_commit_that_a_mirror_lacks_is_a_fetch_error_that_names_the_clone(run: KasRun):
    said = "fatal: unable to read tree (fae9db3168)"
    run.log.write_text(KAS_OUTPUT.format(words="checkout -q fae9db3168", said=said))
    error = _failure(run, Outcome(), 2)
    assert error.exit_code == 3
    assert (error.what, error.why) == (
        "git checkout failed in /home/me/pycontainer",
        "unable to read tree (fae9db3168)",
    )


def test_a_command_of_gits_that_fails_without_a_word_is_told_too(run: KasRun):
    run.log.write_text(KAS_OUTPUT.format(words="fetch -q", said=""))
    assert _failure(run, Outcome(), 2).why == "git says nothing"
