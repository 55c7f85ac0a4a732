# SPDX-License-Identifier: MIT
"""A Ctrl-C while the program is still loading ends it as quietly as a later one."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import pytest

from orchestrator.cli.start import main

LATE = "orchestrator.cli.main"


class Interrupted(MetaPathFinder):
    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name == LATE:
            raise KeyboardInterrupt
        return None


def test_an_interrupt_while_loading_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, LATE, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert main() == 130
    assert capsys.readouterr().err.strip() == "stopped"


def test_the_program_runs_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["pycontainer", "machines"])
    assert main() == 0
    assert "qemu-amd64" in capsys.readouterr().out
