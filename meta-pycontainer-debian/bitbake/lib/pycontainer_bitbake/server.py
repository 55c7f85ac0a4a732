# SPDX-License-Identifier: GPL-2.0-only
"""bitbake-server: the process that parses, schedules and outlives a connection. Started by BitBake's library only."""

from __future__ import annotations

import ast
import logging
import os
import sys

import bb
import bb.event
import bb.server.process

from . import library

_MAGIC = "decafbad"
_ARGUMENTS = 11


def main(argv: list[str]) -> int:
    """Serve until the last client has left.

    `argv`: script, magic, lock fd, ready fd, log file, lock name, socket name, timeout (s), profile list, and the host
    and port of a network interface, which is refused: its commands would run anything for anybody.
    """
    if len(argv) != _ARGUMENTS or argv[1] != _MAGIC:
        sys.exit("bitbake-server is started by bitbake, not by hand")
    lock_fd, ready_fd = int(argv[2]), int(argv[3])
    log_file, lock_name, socket_name, timeout = argv[4:8]
    profile = [str(word) for word in ast.literal_eval(argv[8])]
    if argv[9] != "None":
        sys.exit("bitbake-server: a network interface (--bind) is not supported")
    _log_to(log_file)
    library.check()
    logging.getLogger("BitBake").addHandler(bb.event.LogHandler())
    bb.server.process.execServer(
        lock_fd, ready_fd, lock_name, socket_name, float(timeout), (None, int(argv[10])), profile
    )
    return 0


def _log_to(path: str) -> None:
    """Send standard output and error to the log, line by line, so that a crash leaves its last words there."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
