# SPDX-License-Identifier: MIT
"""A failed BitBake run becomes one error of ours: what, why, what to do, and the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.build.events import Outcome
from orchestrator.build.kas import KasRun, _failure, checkout, configuration
from orchestrator.errors import BuildError, ConfigError, FetchError, TryAgainError
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
    run.log.write_text("ERROR: Nothing PROVIDES 'app-x'\nERROR: Required build target has no providers\n")
    error = _failure(run, Outcome(), 1)
    assert error.what == "Nothing PROVIDES 'app-x'"
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
