# SPDX-License-Identifier: MIT
"""What an error tells the user to run is a command that there is."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

from orchestrator.cli.parser import make_parser

ROOT = Path(__file__).resolve().parents[2]
_ADVICE = re.compile(r"pycontainer ([a-z]+(?:-[a-z]+)*)((?: [a-z]+(?![\w,.])| --[a-z-]+)*)")


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0]) if found else {}


def commands() -> dict[str, argparse.ArgumentParser]:
    return subcommands(make_parser())


def literals(path: Path) -> list[str]:
    """The texts of a module that are not docstrings, those of f-strings without their fields."""
    tree = ast.parse(path.read_text())
    expressions = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in expressions
    ]


def advice() -> list[tuple[str, str, str]]:
    found = []
    for folder in ("orchestrator", "meta-pycontainer-debian"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for text in literals(path):
                found += [(str(path.relative_to(ROOT)), *match.groups()) for match in _ADVICE.finditer(text)]
    return found


def test_there_is_advice_to_check() -> None:
    assert len(advice()) > 10


@pytest.mark.parametrize(("place", "command", "words"), advice())
def test_advice_names_a_command_and_options_that_exist(place: str, command: str, words: str) -> None:
    known = commands()
    assert command in known, place
    parser = known[command]
    if actions := subcommands(parser):
        action = next((word for word in words.split() if not word.startswith("-")), "")
        assert action in actions or (not action and parser.get_default("command")), f"{place}: {command} {action}"
        parser = actions.get(action, parser)
    options = {name for action in parser._actions for name in action.option_strings}
    for word in re.findall(r"--[a-z-]+", words):
        assert word in options, place


def test_no_advice_takes_a_second_word_for_a_subcommand() -> None:
    grouped = [name for name, parser in commands().items() if subcommands(parser)]
    wrong = [entry for entry in advice() if re.match(r" (list|new|add|rm|export)\b", entry[2])]
    assert [entry for entry in wrong if entry[1] not in grouped] == []


@pytest.mark.parametrize("command", ["build", "image", "run", "show", "verify", "lock"])
def test_a_build_for_another_machine_can_be_reached(command: str) -> None:
    assert make_parser().parse_args([command, "--machine", "toaster", "."]).machine == "toaster"


@pytest.mark.parametrize("memory", ["abc", "-1", "31", "1e3", ""])
def test_a_wrong_size_of_memory_is_called_so(memory: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["run", f"--memory={memory}"])
    assert "is not a number from 32 to 1048576 (MiB)" in capsys.readouterr().err
