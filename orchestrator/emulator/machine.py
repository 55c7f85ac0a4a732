# SPDX-License-Identifier: MIT
"""One running virtual machine that a test or a command can hold: start it, wait for its words, power it off.

It only ever ends the process that it started, and that process ends with us however we end.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from orchestrator.emulator.console import Console
from orchestrator.emulator.qemu import Forward, MachineOptions, choose_ports, command, explain
from orchestrator.errors import PyContainerError, VerificationError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_QMP_LIMIT = 1024 * 1024
_PIPE_SIZE = 1024 * 1024
_CONTROL_NAME = "control"
_SOCKET_PATH_SIZE = 108


def _die_with(parent: int) -> Callable[[], None]:
    """Return what the child does between fork and exec: ask the kernel to be killed when `parent`'s thread ends."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Make the machine's folder where the path of a socket in it is not too long for the kernel (unix(7))."""
    folder = tempfile.TemporaryDirectory(prefix="pycontainer-vm-", ignore_cleanup_errors=True)
    if len(os.fsencode(folder.name)) + 1 + len(_CONTROL_NAME) < _SOCKET_PATH_SIZE:
        return folder
    folder.cleanup()
    return tempfile.TemporaryDirectory(prefix="pycontainer-vm-", dir="/tmp", ignore_cleanup_errors=True)


class Machine:
    """A QEMU process with its console and its QMP monitor; use as a context manager, or call `start` and `kill`.

    `log` receives the console as it comes; `on_output` is called with each piece of it (from another thread). Start it
    from a thread that lives as long as the machine: the kernel ties the two together.
    """

    def __init__(
        self, options: MachineOptions, log: Path | None = None, on_output: Callable[[bytes], None] | None = None
    ) -> None:
        self.options = options
        self.console = Console()
        self._log_path = log
        self._on_output = on_output
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._output = -1
        self._input = -1
        self._monitor: socket.socket | None = None
        self._monitor_buffer = b""
        self._reader: threading.Thread | None = None
        self._log: BinaryIO | None = None
        self._complaint = ""

    def __enter__(self) -> Machine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start QEMU; raises ConfigError when it is missing or a port taken, TryAgainError when the image is in use."""
        if self._process is not None:
            raise RuntimeError("this machine was started already")
        self.options = dataclasses.replace(self.options, forwards=choose_ports(self.options.forwards))
        self._folder = _temporary_folder()
        try:
            self._start(Path(self._folder.name))
            self._greet()
            self._listen(Path(self._folder.name))
        except BaseException:
            self.kill()
            raise

    def _start(self, folder: Path) -> None:
        variables = folder / "variables.fd"
        if self.options.firmware_vars is not None:
            shutil.copyfile(self.options.firmware_vars, variables)
        console = folder / "console"
        for direction in ("in", "out"):
            os.mkfifo(f"{console}.{direction}", 0o600)
        self._output = os.open(f"{console}.out", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._monitor, monitor = socket.socketpair()
        if self._log_path is not None:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self._log_path.open("wb")
        self.console = Console(self._log)
        with monitor, (folder / "stderr").open("wb") as stderr:
            argv = command(
                self.options,
                variables=variables,
                console=console,
                control=self.control_path,
                monitor_fd=monitor.fileno(),
            )
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=(monitor.fileno(),),
                # Its own session: Ctrl-C on our terminal is ours to handle.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )

    def _listen(self, folder: Path) -> None:
        """Read the console from now on: QEMU has opened its ends, so an empty read means that it is gone."""
        self._input = os.open(folder / "console.in", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self._output, True)
        self._reader = threading.Thread(target=self._read_console, name="console", daemon=True)
        self._reader.start()

    def _read_console(self) -> None:
        try:
            while data := os.read(self._output, 65536):
                self.console.feed(data)
                if self._on_output is not None:
                    self._on_output(data)
        except OSError:
            pass
        finally:
            self.console.close()

    def _greet(self) -> None:
        try:
            self._receive(time.monotonic() + 20)
            self.qmp("qmp_capabilities")
        except (OSError, EOFError) as problem:
            raise self._ended() from problem

    def _ended(self) -> PyContainerError:
        """The error for a QEMU that is no more."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        return explain(self.complaint, self._process.poll() or 0, self.options.image)

    @property
    def complaint(self) -> str:
        """What QEMU wrote to its standard error, or the end of it; it can be asked for after `kill`, too."""
        if self._folder is not None:
            with contextlib.suppress(FileNotFoundError):
                self._complaint = (Path(self._folder.name) / "stderr").read_text(errors="replace")[-4096:]
        return self._complaint

    @property
    def exit_status(self) -> int | None:
        """QEMU's exit status, negative for a signal, or None while it runs; kept after `kill`."""
        return None if self._process is None else self._process.poll()

    def _how_it_ended(self) -> str:
        """The end of the machine in words: with QEMU's, when it was one that QEMU made and not the guest."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        status, complaint = self.exit_status, self.complaint.strip()
        how = "the machine ended" + (f", QEMU with status {status}" if status else "")
        return how + (f" and these words: {complaint}" if complaint else "")

    def _receive(self, deadline: float) -> dict[str, Any]:
        """Return the next QMP message; raises EOFError when QEMU has gone, TimeoutError when it says nothing."""
        assert self._monitor is not None
        while b"\n" not in self._monitor_buffer:
            self._monitor.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._monitor.recv(65536)
            if not data or len(self._monitor_buffer) > _QMP_LIMIT:
                raise EOFError
            self._monitor_buffer += data
        line, _, self._monitor_buffer = self._monitor_buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def qmp(self, name: str, arguments: dict[str, Any] | None = None, timeout: float = 10) -> Any:
        """Run a QMP command; raises VerificationError when QEMU refuses, EOFError when it is gone."""
        assert self._monitor is not None
        request: dict[str, Any] = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        try:
            self._monitor.sendall(json.dumps(request).encode() + b"\n")
        except BrokenPipeError as problem:
            raise EOFError from problem
        deadline = time.monotonic() + timeout
        while True:
            message = self._receive(deadline)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise VerificationError(f"QEMU refused {name}", str(message["error"].get("desc", "")))

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float) -> re.Match[str]:
        """Wait until the console shows a match after the previous one, and return it.

        Raises VerificationError with the console's last lines when it does not within `timeout` seconds.
        """
        compiled = re.compile(pattern) if isinstance(pattern, str) else pattern
        match = self.console.wait_for(compiled, timeout)
        if match is None:
            how = self._how_it_ended() if self.console.closed else f"{timeout:g} seconds passed"
            raise VerificationError(
                f"the console did not show {compiled.pattern!r}",
                f"{how}; its last lines:\n{self.console.tail()}",
                f"the whole console is in {self._log_path}" if self._log_path else "",
            )
        return match

    def send(self, data: bytes) -> None:
        """Type on the console; what the guest does not read in time is lost, as on a real serial line."""
        with contextlib.suppress(OSError):
            os.write(self._input, data)

    def host_port(self, guest: int) -> int:
        """Return the port of this machine's loopback that leads to the guest's."""
        found = [each.host for each in self.options.forwards if each.guest == guest]
        if not found:
            raise ValueError(f"no port leads to the guest's {guest}")
        return found[0]

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """The forwarded ports, free ones chosen."""
        return self.options.forwards

    @property
    def control_path(self) -> Path:
        """The unix socket that leads to the device's control port; only one program at a time gets answers there."""
        assert self._folder is not None
        return Path(self._folder.name) / _CONTROL_NAME

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        """Whether QEMU still runs."""
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until QEMU ends; returns False when `timeout` seconds passed before."""
        assert self._process is not None
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(5)
        return True

    def check_end(self) -> None:
        """Raise the error of a QEMU that ended by itself with a failure; a guest that powered off is none."""
        if self._process is not None and self._process.poll():
            raise self._ended()

    def powerdown(self, timeout: float = 20) -> bool:
        """Press the power button and wait; True when the guest powered itself off in time, else it is ended hard."""
        with contextlib.suppress(OSError, EOFError):
            self.qmp("system_powerdown")
        clean = self.wait(timeout)
        self.kill()
        return clean

    def kill(self) -> None:
        """End QEMU at once, as a power cut would, and give back everything; harmless when it has ended already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(5)
        for resource in (self._monitor, self._log):
            if resource is not None:
                resource.close()
        for descriptor in (self._input, self._output):
            if descriptor >= 0:
                os.close(descriptor)
        self._input = self._output = -1
        if self._folder is not None:
            self._complaint = self.complaint
            self._folder.cleanup()
