# SPDX-License-Identifier: MIT
"""`pycontainer run`: the machine's console on the user's terminal, or one awaited line of it for CI."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.emulator.console import LONGEST, UNFINISHED
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import MachineOptions
from orchestrator.emulator.running import noted
from orchestrator.errors import PyContainerError, TryAgainError, VerificationError

Say = Callable[[str], None]
Job = Callable[[Machine, Say], None]
"""What is done with a machine once its device is ready; raises what went wrong."""

_PREFIX = b"\x01"
_CLEARING = re.compile(rb"\x1b\[(?:[23]J|=3h|(?:\d+;\d+)?H)|\x1bc")
_POWER_OFF_SECONDS = 20.0
_LAST_WORDS = 5  # seconds that a job has to end after the machine
_READY = re.compile(r"pycontainer\[[^\]\n]*\] ready:")
_READY_SECONDS = 300.0


class Scrolling:
    """Takes out of a console's bytes what clears the screen: firmware would wipe the address of the page off it.

    The bytes come in pieces of any size, so the beginning of an escape sequence is held back until its end is known.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what of the bytes so far may be shown now."""
        data = self._held + data
        unfinished = UNFINISHED.search(data)
        cut = unfinished.start() if unfinished and len(data) - unfinished.start() < LONGEST else len(data)
        self._held = data[cut:]
        return _CLEARING.sub(b"", data[:cut])

    def rest(self) -> bytes:
        """Return what is still held back, when nothing more will come."""
        data, self._held = self._held, b""
        return data


def expect(
    options: MachineOptions,
    text: str,
    timeout: float,
    log: Path | None = None,
    show: bool = False,
    *,
    note: Path | None = None,
    job: Job | None = None,
) -> str:
    """Boot the image and return the console's line that holds `text`; the machine is ended then.

    `show` copies the console to standard error meanwhile. A `job` comes first: the text is looked for in what the
    device says after it was ready for the job. `note` see `noted`. Raises what the job raises, and VerificationError
    with the console's last lines when `timeout` seconds pass or the machine ends before.
    """

    def copy(data: bytes) -> None:
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    with Machine(options, log=log, on_output=copy if show else None) as machine, noted(note, machine):
        if job is not None:
            machine.wait_for(_READY, _READY_SECONDS)
            job(machine, _tell)
        try:
            match = machine.wait_for(re.compile(f"[^\n]*{re.escape(text)}[^\n]*"), timeout)
        except VerificationError as problem:
            raise VerificationError(f"the console did not show {text!r}", problem.why, problem.hint) from problem
        # What is looked for may come in the middle of its line: give the rest of it a moment.
        line = match.group()
        with contextlib.suppress(VerificationError):
            line += machine.wait_for(r"[^\n]*(?=\n)", 2).group()
        return line.strip()


def run_image(
    options: MachineOptions,
    *,
    log: Path | None = None,
    say: Say | None = None,
    note: Path | None = None,
    job: Job | None = None,
) -> int:
    """Run the image with its console on this terminal until it powers off or the user stops it.

    Returns 0, or the exit code of what its `job`, done once the device is ready, ended with. `note` see `noted`.

    Ctrl-C presses the power button, a second one ends the machine at once; Ctrl-A X ends it at once; Ctrl-A A types a
    Ctrl-A, Ctrl-A C a Ctrl-C. Without a terminal the console is copied to standard output. `say` shows messages.
    Raises VerificationError when QEMU fails meanwhile.
    """
    tell = say or _tell
    output = sys.stdout.buffer

    scrolling = Scrolling()

    def show(data: bytes) -> None:
        output.write(scrolling.feed(data))
        output.flush()

    machine = Machine(options, log=log, on_output=show)
    working = _Working(machine, job, tell) if job else None
    with _stop_requests() as stopping, machine, noted(note, machine):
        try:
            # The console may speak before the machine counts as started: from here on a Ctrl-C can be obeyed in order.
            stopping.allow()
            for forward in machine.forwards:
                place = f"127.0.0.1:{forward.host}"
                tell(f"port {forward.guest} of the device is port {forward.host} here: http://{place}/")
            if working:
                working.start()
            interactive = sys.stdin.isatty() and sys.stdout.isatty()
            tell("Ctrl-C powers the device off" + ("; Ctrl-A X ends it at once" if interactive else ""))
            if interactive:
                with _raw_terminal():
                    _converse(machine)
            else:
                machine.wait()
        except KeyboardInterrupt:
            tell("powering off (Ctrl-C again ends the machine at once)")
            try:
                if not machine.powerdown(_POWER_OFF_SECONDS):
                    tell(f"the device did not power off within {_POWER_OFF_SECONDS:g} seconds and was ended")
            except KeyboardInterrupt:
                tell("ended")
        else:
            machine.check_end()
        finally:
            if working and not machine.running():
                working.join(_LAST_WORDS)  # before the machine's sockets are closed under it
            output.write(scrolling.rest())
            output.flush()
    return working.code() if working else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Working(threading.Thread):
    """A job beside the console, which the main thread serves."""

    def __init__(self, machine: Machine, job: Job, tell: Say) -> None:
        super().__init__(name="job", daemon=True)
        self._machine, self._job, self._tell = machine, job, tell
        self._code: int | None = None

    def run(self) -> None:
        try:
            self._machine.wait_for(_READY, _READY_SECONDS)
            self._job(self._machine, self._tell)
            self._code = 0
        except PyContainerError as problem:
            self._code = problem.exit_code
            self._tell("\n".join(f"error: {line}" for line in str(problem).splitlines()[:2]))

    def code(self) -> int:
        """Return the exit code that the job came to, after the machine's end: 75 when it came to none."""
        self.join(_LAST_WORDS)
        return TryAgainError.exit_code if self._code is None else self._code


def _converse(machine: Machine) -> None:
    """Pass keys to the machine until it ends or Ctrl-A X is typed."""
    prefixed = False
    while not machine.console.closed:
        if not select.select([sys.stdin], [], [], 0.2)[0]:
            continue
        data = os.read(sys.stdin.fileno(), 1024)
        if not data:
            machine.wait()
            return
        typed = bytearray()
        for key in (bytes([value]) for value in data):
            if not prefixed:
                prefixed = key == _PREFIX
                if not prefixed:
                    typed += key
                continue
            prefixed = False
            if key in b"xX":
                return
            typed += {b"c": b"\x03", b"C": b"\x03", b"a": _PREFIX, b"A": _PREFIX, _PREFIX: _PREFIX}.get(key, b"")
        machine.send(bytes(typed))
    machine.wait(5)


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Pass every key on unechoed, but leave Ctrl-C to us; the terminal is restored in any case."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        mode = termios.tcgetattr(descriptor)
        mode[0] &= ~(termios.ICRNL | termios.IXON)
        mode[6][termios.VSUSP] = mode[6][termios.VQUIT] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class _Stopping:
    """Ctrl-C and SIGTERM (CI's time limit) as KeyboardInterrupt, the first one held back until `allow` is called."""

    def __init__(self) -> None:
        self._held = True
        self._asked = False

    def allow(self) -> None:
        """Raise what was held back, and from now on at once."""
        self._held = False
        if self._asked:
            raise KeyboardInterrupt

    def request(self, _number: int, _frame: FrameType | None) -> Any:
        """The signals' handler: a start that hangs is still ended, by the second one."""
        if self._held and not self._asked:
            self._asked = True
            return
        raise KeyboardInterrupt


@contextlib.contextmanager
def _stop_requests() -> Iterator[_Stopping]:
    """Handle SIGINT and SIGTERM alike, so that neither leaves a machine or temporary files."""
    stopping = _Stopping()
    before = {number: signal.signal(number, stopping.request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
