# SPDX-License-Identifier: GPL-2.0-only
"""bitbake: the program that users and kas call. Starts or finds the server and shows the build."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import bb
import bb.cookerdata
import bb.main
import bb.ui

from . import library, ui
from .events import EventFile
from .version import LauncherError

# The library's environment filter must not see them: a changing value would make it parse every recipe again.
_OWN_VARIABLES = frozenset({"PYCONTAINER_EVENTS", "BITBAKE_UI"})
_SERVER_END_SECONDS = 15.0


def main(argv: list[str]) -> int:
    """Run `bitbake` with the command line `argv`; returns the exit status: 0 when everything asked for is built."""
    library.check()
    try:
        events = EventFile(os.environ.get("PYCONTAINER_EVENTS"))
    except OSError as error:
        print(LauncherError("cannot write the build events", str(error), "change PYCONTAINER_EVENTS"), file=sys.stderr)
        return 1
    events.write("start", pid=os.getpid())
    status = _run(argv, events)
    events.write("exit", status=status)
    return status


def _run(argv: list[str], events: EventFile) -> int:
    # Until the user interface takes over; a background shell starts us with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    names = os.environ.get("BB_ENV_PASSTHROUGH_ADDITIONS", "").split()
    os.environ["BB_ENV_PASSTHROUGH_ADDITIONS"] = " ".join(name for name in names if name not in _OWN_VARIABLES)
    if not sys.stdout.isatty() or os.environ.get("PYCONTAINER_EVENTS"):
        os.environ.setdefault("BITBAKE_UI", "pycontainer")
    ui.events = events
    # The library looks a user interface up as an attribute of its package.
    bb.ui.pycontainer = ui
    try:
        parameters = bb.main.BitBakeConfigParameters(argv)
        if parameters.xmlrpcinterface[0] or parameters.remote_server:
            raise LauncherError(
                "a network server is not supported", "it obeys whoever connects", "omit --bind and --remote-server"
            )
        status = bb.main.bitbake_main(parameters, bb.cookerdata.CookerConfiguration())
        if not (parameters.server_timeout or parameters.server_only):
            _wait_for_server()
    except KeyboardInterrupt:
        print("Interrupted before the build began.")
        _wait_for_server()
        return 1
    except (LauncherError, bb.main.BBMainException) as error:
        print(error, file=sys.stderr)
        return 1
    except bb.BBHandledException:
        return 1
    return int(status or 0)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _wait_for_server() -> None:
    """Let a server that ends with its client end before we do: the build directory is free when `bitbake` returns."""
    pid = _server_pid(Path(bb.cookerdata.findTopdir()))
    deadline = time.monotonic() + _SERVER_END_SECONDS
    while pid and _is_server(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _server_pid(top: Path) -> int:
    try:
        return int((top / "bitbake.lock").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _is_server(pid: int) -> bool:
    try:
        return b"bitbake-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
