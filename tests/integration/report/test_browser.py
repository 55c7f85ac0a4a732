# SPDX-License-Identifier: MIT
"""The audit page in a real browser: it opens without an error, shows everything, and prints."""

import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.compliance import Surroundings, judge
from orchestrator.report import gather, page

from ...unit.compliance.sample import bill_of, image_graph


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "audit.html"
    bill = bill_of(image_graph())
    path.write_text(page(gather(bill, {"image.spdx3.json": judge(bill, Surroundings())}, title="demo 1.0")))
    return path


def chromium(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=2000")
    argv = ["chromium", *options, f"--user-data-dir={folder / 'profile'}", *words]
    return subprocess.run(argv, capture_output=True, check=True, timeout=120, stdin=subprocess.DEVNULL)


def test_the_page_opens_without_an_error_and_its_styles_and_charts_hold(written: Path, tmp_path: Path) -> None:
    done = chromium(tmp_path, "--dump-dom", written.as_uri())
    text = done.stdout.decode()
    assert len(re.findall(r"<section", text)) == 10
    assert text.count("<rect") >= 6
    assert b"Refused to" not in done.stderr  # its own content security policy forbids nothing that it needs
    assert b"CONSOLE" not in done.stderr


def test_the_page_prints(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit.pdf"
    chromium(tmp_path, f"--print-to-pdf={out}", "--no-pdf-header-footer", written.as_uri())
    data = out.read_bytes()
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) >= 2
