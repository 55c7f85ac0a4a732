# SPDX-License-Identifier: MIT
"""Every command of docs/trust.md is one that there is, with words that it takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli.parser import make_parser
from orchestrator.trust import POINTER_PAYLOAD, POINTER_TYPE, ROOT_PAYLOAD, ROOT_TYPE, SIGNATURE_TYPE
from orchestrator.trust.private import PASSPHRASE, PASSPHRASE_FILE

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "trust.md").read_text()
COMMANDS = [line.strip() for line in PAGE.splitlines() if line.startswith("    pycontainer ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_understood(line: str) -> None:
    options = make_parser().parse_args(shlex.split(line)[1:])
    assert callable(options.command)


def test_the_page_has_the_commands_and_the_names() -> None:
    assert len(COMMANDS) > 25
    for name in (
        POINTER_TYPE, POINTER_PAYLOAD, ROOT_TYPE, ROOT_PAYLOAD, SIGNATURE_TYPE, PASSPHRASE, PASSPHRASE_FILE,
        "application/vnd.dev.cosign.artifact.sig.v1+json", "PYCONTAINER_KEY_ID", "PYCONTAINER_KEY_PUBLIC",
    ):  # fmt: skip
        assert f"`{name}`" in PAGE, name
    for path in re.findall(r"examples/keys/[a-z0-9-]+", PAGE):
        assert (ROOT / path).stat().st_mode & 0o111, path
