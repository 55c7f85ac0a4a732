# SPDX-License-Identifier: MIT
"""GRUB as one EFI program: grub-mkstandalone of the native tools tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from .errors import DebianError

_PRELOADED = ("part_gpt", "fat", "ext2", "regexp", "normal")


def standalone(
    tools: Path, folder: Path, configuration: Path, target: str, modules: list[str], epoch: int, output: Path
) -> None:
    """Write the EFI program `output` with the modules of `folder` and the configuration embedded.

    The configuration's syntax is checked first; raises DebianError with the program's words.
    """
    with tempfile.TemporaryDirectory(dir=output.parent) as work:
        environment = {
            "PATH": f"{tools}:{os.defpath}",
            "LC_ALL": "C",
            "SOURCE_DATE_EPOCH": str(epoch),
            "TMPDIR": work,
        }
        _run([str(tools / "grub-script-check"), str(configuration)], environment)
        argv = [str(tools / "grub-mkstandalone"), "-d", str(folder), "-O", target, "-o", str(output)]
        argv += ["--locales=", "--themes=", "--fonts=", "--compress=no"]
        argv += [f"--install-modules={' '.join(modules)}"]
        argv += [f"--modules={' '.join(name for name in _PRELOADED if name in modules)}"]
        _run([*argv, f"boot/grub/grub.cfg={configuration}"], environment)


def _run(argv: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, env=environment)
    if done.returncode != 0:
        words = done.stderr.strip()[-400:]
        raise DebianError(f"{Path(argv[0]).name} failed", words, f"command: {' '.join(argv)[:300]}")
