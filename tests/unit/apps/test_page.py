# SPDX-License-Identifier: MIT
"""The page of apps shows commands that there are, and names no option that there is not."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli.parser import make_parser

PAGE = (Path(__file__).parents[3] / "docs" / "apps.md").read_text()
COMMANDS = re.findall(r"^ {4}(pycontainer app .*)$", PAGE, re.M)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_of_the_page_is_understood(line: str):
    options = make_parser().parse_args(shlex.split(line)[1:])
    assert callable(options.command)


def test_each_option_that_the_page_names_is_one_of_an_action():
    source = (Path(__file__).parents[3] / "orchestrator" / "cli" / "app_parser.py").read_text()
    for option in set(re.findall(r"`(--[a-z-]+)", PAGE)):
        assert f'"{option}"' in source or f'("{option.removeprefix("--")}", ' in source, option
