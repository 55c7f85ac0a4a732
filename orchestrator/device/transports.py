# SPDX-License-Identifier: MIT
"""The ways to a device: a unix socket (a virtual machine's port), a serial line, ssh."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.device.stream import LinkError, Stream
from orchestrator.errors import ConfigError
from orchestrator.run import missing_program

DEFAULT_BAUD = 115200
_SERIAL_PIECE = 3 * 1024
_CONNECT_SECONDS = 10.0
_SSH = re.compile(r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])"
                  r"(?::(?P<port>[0-9]{1,5}))?\Z", re.ASCII)  # fmt: skip
_FORMS = "write unix:PATH, serial:/dev/ttyUSB0[,BAUD] or ssh:[USER@]HOST[:PORT]"


@dataclass(frozen=True)
class Transport:
    """A way to a device: what people call it, and what opens it."""

    name: str
    open: Callable[[], Stream]


def parse_transport(text: str) -> Transport:
    """Return the transport that `unix:`, `serial:` or `ssh:` words name; raises ConfigError for anything else."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest:
        return Transport(text, lambda: open_unix(Path(rest)))
    if kind == "serial" and rest:
        path, comma, baud = rest.partition(",")
        speed = _speed(baud) if comma else _speed(str(DEFAULT_BAUD))
        return Transport(text, lambda: open_serial(Path(path), speed))
    if kind == "ssh" and (match := _SSH.match(rest)):
        port = int(match["port"]) if match["port"] else None
        if port is None or 0 < port < 65536:
            host = match["host"].strip("[]")
            target = f"{match['user']}@{host}" if match["user"] else host
            return Transport(text, lambda: open_ssh(target, port))
    raise ConfigError(f"no way to a device: {text!r}", "", _FORMS)


def open_unix(path: Path) -> Stream:
    """Connect to a unix socket; raises LinkError when nothing listens there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(str(path))
    except BlockingIOError as problem:
        connection.close()
        why = "somebody else speaks with the device, and others wait for that already"
        raise LinkError(f"cannot connect to {path}", why, "try again when they are done") from problem
    except OSError as problem:
        connection.close()
        why = problem.strerror or str(problem)
        raise LinkError(f"cannot connect to {path}", why, "check that the device or virtual machine runs") from problem
    descriptor = connection.fileno()
    return Stream(descriptor, descriptor, str(path), connection.close, shared=True)


def open_serial(path: Path, speed: int) -> Stream:
    """Open a serial line raw, 8 bits, no parity; raises ConfigError when it is not one, LinkError when it is in use."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        hint = "your user may have to be in the group dialout" if isinstance(problem, PermissionError) else ""
        raise ConfigError(f"cannot open {path}", problem.strerror or str(problem), hint) from problem
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mode = termios.tcgetattr(descriptor)
        mode[0] = termios.IGNBRK
        mode[1] = 0
        mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        mode[3] = 0
        mode[4] = mode[5] = speed
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        termios.tcflush(descriptor, termios.TCIFLUSH)
    except BlockingIOError as problem:
        os.close(descriptor)
        raise LinkError(f"{path} is in use", "another program holds it", "end that one first") from problem
    except termios.error as problem:
        os.close(descriptor)
        raise ConfigError(f"{path} is not a serial line", str(problem.args[-1]), _FORMS) from problem
    return Stream(descriptor, descriptor, str(path), lambda: os.close(descriptor), shared=True, piece=_SERIAL_PIECE)


def ssh_command(target: str, port: int | None) -> list[str]:
    """Return the argument list that starts the relay on a device."""
    ssh = shutil.which("ssh")
    if ssh is None:
        raise missing_program("ssh")
    words = [ssh, "-T", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
    return [*words, *(["-p", str(port)] if port else []), "--", target, "pycontainerctl", "relay"]


def open_ssh(target: str, port: int | None) -> Stream:
    """Start the relay on a device by ssh; raises ConfigError when ssh is missing. Its messages go to standard error."""
    process = subprocess.Popen(ssh_command(target, port), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def close() -> None:
        for stream in (stdin, stdout):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    return Stream(stdout.fileno(), stdin.fileno(), f"ssh {target}", close, shared=False)


def _speed(text: str) -> int:
    found = getattr(termios, f"B{text}", None) if re.fullmatch(r"[1-9][0-9]{1,7}", text, re.ASCII) else None
    if not isinstance(found, int):
        raise ConfigError(f"not a serial line's speed: {text!r}", "", "115200 is usual; the device's console tells it")
    return found
