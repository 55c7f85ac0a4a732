# SPDX-License-Identifier: MIT
"""The one place that runs external programs: argument lists only, no shell, errors that name the log."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.errors import BuildError, ConfigError, PyContainerError, TryAgainError

_TAIL_LINES = 12
_FULL_DISK = os.strerror(errno.ENOSPC).encode()

_PACKAGE_OF = {
    "mksquashfs": "squashfs-tools",
    "wget": "wget",
    "kas": "the Python package kas",
}


@dataclass(frozen=True)
class Tools:
    """Where programs are found: the pinned native tools tree first, the host's PATH otherwise.

    `bin_dir` is the tree's folder of wrappers, or None to use the host's programs only.
    """

    bin_dir: Path | None = None

    def path(self, program: str) -> str:
        """Return the program's path; raises ConfigError when neither the tree nor the host has it."""
        if self.bin_dir is not None and (own := self.bin_dir / program).exists():
            return str(own)
        search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        found = shutil.which(program, path=search)
        if found is None:
            raise missing_program(program)
        return found

    def argv(self, program: str, *arguments: str | Path) -> list[str]:
        """Return the argument list that runs `program` with `arguments`."""
        return [self.path(program), *map(str, arguments)]


def missing_program(program: str) -> ConfigError:
    """The error for a program that is neither in the native tools tree nor on PATH."""
    return ConfigError(
        f"the program {program} is missing",
        f"neither the native tools tree nor PATH has it (usually in {_PACKAGE_OF.get(program, program)})",
        "run 'pycontainer doctor' to see what is missing and the command that installs it",
    )


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | IO[bytes] | None = None,
    log: Path | None = None,
    error: type[PyContainerError] = BuildError,
    source_date_epoch: int | None = None,
) -> bytes:
    """Run a program to its end and return its standard output.

    `argv` is never given to a shell. `env` adds to a small clean environment (PATH, HOME, LC_ALL=C.UTF-8, TZ=UTC).
    Standard error (and the command line) is appended to `log` when given. A non-zero exit raises `error` with the last
    lines of standard error as the reason; a missing program raises ConfigError, a full disk TryAgainError.
    """
    command = [str(word) for word in argv]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    if source_date_epoch is not None:
        environment["SOURCE_DATE_EPOCH"] = str(source_date_epoch)
    environment.update(env or {})
    # Either `input` or `stdin` may be given, which no overload of subprocess.run says of a dictionary.
    feed: dict[str, object] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command, cwd=cwd, env=environment, capture_output=True, check=False, **feed
        )
    except FileNotFoundError as problem:
        if problem.filename not in (None, command[0]):
            raise
        raise missing_program(command[0]) from problem
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            stream.write(b"$ " + shlex.join(command).encode() + b"\n" + done.stderr)
    if done.returncode != 0:
        if _FULL_DISK in done.stderr:
            raise TryAgainError(
                "the disk is full",
                f"{Path(command[0]).name} could not write its output",
                "make room and run the same command again; nothing is lost",
            )
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        reason = " / ".join(line.strip() for line in tail[-3:]) or f"no message; exit status {done.returncode}"
        raise error(
            f"{Path(command[0]).name} failed with exit status {done.returncode}",
            reason,
            f"the whole output is in {log}" if log else f"command: {shlex.join(command)[:300]}",
        )
    output: bytes = done.stdout
    return output
