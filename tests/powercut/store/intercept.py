# SPDX-License-Identifier: MIT
"""A process whose changes of files are stopped at, one by one, before they are done.

By seccomp_unotify(2): the kernel hands each such call of the process, of its threads and of the programs that it starts
to us in the order in which they come, and waits for our word. strace counts the calls of each thread by itself, and a
hook inside Python sees neither what C code writes nor other programs; here none is missed, but of memory that is mapped
shared.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.powercut.store.calls import (
    AUDIT_ARCH,
    CREATING,
    FICLONE,
    NUMBERS,
    PIDFD_GETFD,
    SECCOMP,
    Call,
    decode,
    supported,
)

_LIBC = ctypes.CDLL(None, use_errno=True)
# linux/seccomp.h and linux/filter.h
_NEW_LISTENER = 8
_SET_MODE_FILTER = 1
_RET_NOTIFY, _RET_ALLOW = 0x7FC00000, 0x7FFF0000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16
_RECV = (3 << 30) | (80 << 16) | (ord("!") << 8) | 0
_SEND = (3 << 30) | (24 << 16) | (ord("!") << 8) | 1
_CONTINUE = 1
_NO_NEW_PRIVS = 38
_FLAGS_AT = {"open": 1, "openat": 2}


@dataclass(frozen=True)
class Answer:
    """What becomes of a stopped call: it is done when both are None, fails with `error`, or returns `value`."""

    error: int | None = None
    value: int | None = None


DONE = Answer()


class Stop(Exception):
    """The process and all that it started are killed before the call."""


Decide = Callable[[Call], Answer]


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (negative: the signal), and what it printed on either stream."""

    code: int
    text: str
    killed: bool = False


def available() -> bool:
    """Whether calls can be intercepted here."""
    return supported() and _try()


def run(action: Callable[[], int], scratch: Path, root: Path | None = None, decide: Decide | None = None) -> Ended:
    """Run `action` in a process of its own, which ends with what it returns; all below `root` goes by `decide`."""
    ours, theirs = socket.socketpair()
    output = scratch / "output"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _child(action, output, ours, theirs, watched=decide is not None)
    theirs.close()
    killed = False
    with ours:
        if decide is not None and root is not None:
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
            if descriptors:
                try:
                    killed = _serve(descriptors[0], child, f"{root}/", decide)
                finally:
                    os.close(descriptors[0])
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), output.read_text(errors="replace"), killed)


def _child(
    action: Callable[[], int], output: Path, ours: socket.socket, theirs: socket.socket, *, watched: bool
) -> NoReturn:
    code = 1
    try:
        ours.close()
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(each, mode) for each, mode in ((0, "r"), (1, "w"), (2, "w")))
        if watched:
            listener = _listen()
            socket.send_fds(theirs, [b"l"], [listener])
            os.close(listener)
        theirs.close()
        try:
            code = action()
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _program() -> bytes:
    def step(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, yes, no, value)

    def give(value: int) -> bytes:
        return step(_RETURN, 0, 0, value)

    parts = [step(_LOAD, 0, 0, _ARCH), step(_EQUAL, 1, 0, AUDIT_ARCH), give(_RET_ALLOW), step(_LOAD, 0, 0, _NR)]
    for name, number in NUMBERS.items():
        if name in _FLAGS_AT:
            test = [step(_LOAD, 0, 0, _ARGS + 8 * _FLAGS_AT[name]), step(_ANY_BIT, 0, 1, CREATING)]
        elif name == "ioctl":
            test = [step(_LOAD, 0, 0, _ARGS + 8), step(_EQUAL, 0, 1, FICLONE)]
        else:
            parts += [step(_EQUAL, 0, 1, number), give(_RET_NOTIFY)]
            continue
        parts += [step(_EQUAL, 0, 4, number), *test, give(_RET_NOTIFY), give(_RET_ALLOW)]
    return b"".join([*parts, give(_RET_ALLOW)])


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


def _listen() -> int:
    """Put this process under the filter; returns the descriptor that tells of its calls."""
    program = _program()
    memory = ctypes.create_string_buffer(program, len(program))
    given = _Filter(len(program) // 8, ctypes.addressof(memory))
    _LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    descriptor: int = _LIBC.syscall(SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(given))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return descriptor


def _try() -> bool:
    child = os.fork()
    if child == 0:
        try:
            _listen()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _serve(listener: int, child: int, below: str, decide: Decide) -> bool:
    """Answer until everybody under the filter has ended; returns whether they were stopped."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        events = poll.poll()[0][1]
        if not events & select.POLLIN:
            return False
        got = bytearray(80)
        try:
            fcntl.ioctl(listener, _RECV, got)
        except OSError as problem:
            if problem.errno in (errno.ENOENT, errno.EINTR):
                continue
            raise
        number_of_call, process = struct.unpack_from("=QI", got)
        number, *_ = struct.unpack_from("=i", got, 16)
        arguments = struct.unpack_from("=6Q", got, 32)
        answer = DONE
        call = decode(process, number, arguments)
        if call is not None and (f"{call.path}/".startswith(below) or call.source.startswith(below)):
            try:
                answer = decide(call)
            except Stop:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                return True
        if answer.error is not None:
            reply = struct.pack("=QqiI", number_of_call, 0, -answer.error, 0)
        elif answer.value is not None:
            reply = struct.pack("=QqiI", number_of_call, answer.value, 0, 0)
        else:
            reply = struct.pack("=QqiI", number_of_call, 0, 0, _CONTINUE)
        with contextlib.suppress(FileNotFoundError):
            fcntl.ioctl(listener, _SEND, bytearray(reply))


def write_half(call: Call) -> int:
    """Do the first half of a write in the caller's stead; returns the number of its bytes."""
    status = Path(f"/proc/{call.process}/status").read_text()
    group = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Tgid:"))
    handle = os.pidfd_open(group)
    try:
        target: int = _LIBC.syscall(PIDFD_GETFD, handle, call.descriptor, 0)
    finally:
        os.close(handle)
    if target < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    memory = os.open(f"/proc/{call.process}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.write(target, os.pread(memory, call.length // 2, call.address))
    finally:
        os.close(memory)
        os.close(target)
