# SPDX-License-Identifier: MIT
"""Running programs: their failures become errors of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.errors import BuildError, ConfigError, TryAgainError
from orchestrator.run import Tools, run


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_standard_output_comes_back_and_standard_error_goes_to_the_log(tmp_path: Path):
    log = tmp_path / "logs" / "x.log"
    assert run(script("import sys; print('out'); print('err', file=sys.stderr)"), log=log) == b"out\n"
    assert log.read_text().endswith("err\n")
    assert log.read_text().startswith("$ ")


def test_a_failure_names_the_status_the_last_words_and_the_log(tmp_path: Path):
    with pytest.raises(BuildError) as caught:
        run(script("import sys; sys.exit('no such thing')"), log=tmp_path / "x.log")
    assert "exit status 1" in caught.value.what
    assert caught.value.why == "no such thing"
    assert "x.log" in caught.value.hint


def test_a_program_that_filled_the_disk_asks_to_try_again():
    with pytest.raises(TryAgainError, match="disk is full"):
        run(script("import os, sys; sys.exit(os.strerror(28))"))


def test_a_missing_program_is_named():
    with pytest.raises(ConfigError, match="no-such-program"):
        run(["no-such-program"])


def test_the_native_tools_tree_comes_before_the_host(tmp_path: Path):
    (tmp_path / "ls").write_text("")
    assert Tools(tmp_path).argv("ls", "-l") == [str(tmp_path / "ls"), "-l"]
    assert Tools(tmp_path).path("cat") != str(tmp_path / "cat")
    with pytest.raises(ConfigError, match="no-such-program"):
        Tools(None).path("no-such-program")


def test_the_callers_environment_does_not_leak_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEAK", "1")
    out = run(script("import os; print(os.environ.get('LEAK'), os.environ['TZ'], os.environ['SOURCE_DATE_EPOCH'])"),
              source_date_epoch=7)  # fmt: skip
    assert out == b"None UTC 7\n"
