# SPDX-License-Identifier: GPL-2.0-only
"""bitbake-worker: takes commands from the server, runs each task in a child process, relays the children's events.

One thread and one loop: it reads commands (descriptor 0), reads the children's records, and writes replies
(descriptor 1) without ever blocking on one of them, for the server may be writing to us while we write to it.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import signal
import stat
import sys
import time
from typing import Any

import bb
import bb.build
import bb.cookerdata
import bb.event
import bb.fetch2
import bb.msg
import bb.utils

from . import frames, library, task
from .children import Children
from .outbox import Outbox

_MAGIC = "decafbad"
_CHUNK = 256 << 10
# Above this much unsent output the children wait, so that a talkative task cannot fill the memory.
_HIGH_WATER = 8 << 20
_GRACE_SECONDS = 5.0

logger = logging.getLogger("BitBake")


class Worker:
    """The state of one worker: configuration as the server sent it, running children, unsent replies."""

    def __init__(self, outbox: Outbox, replies: int) -> None:
        self._outbox = outbox
        self._replies = replies
        self._children = Children()
        self._decoder = frames.CommandDecoder()
        self._context = task.Context()
        self._private: list[int] = []
        # None while there is work to wait for; then the exit status.
        self._status: int | None = None

    def serve(self) -> int:
        """Run until the server says quit (returns 0), is gone or makes no sense (returns 1); leaves no child behind."""
        wake, wake_writer = os.pipe()
        self._private = [self._replies, wake, wake_writer]
        for fd in (0, self._replies, wake, wake_writer):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._leave)
        try:
            while self._status is None:
                self._turn(wake)
        except BrokenPipeError:
            self._status = 1
        except Exception as error:
            if not isinstance(error, bb.BBHandledException):
                logger.exception("The worker cannot go on: %s", error)
            self._status = 1
        self._end_children()
        return self._status

    def _turn(self, wake: int) -> None:
        """Wait for something to do, and do it."""
        readers = [0, wake]
        if len(self._outbox) < _HIGH_WATER:
            readers += self._children.pipes()
        writers = [self._replies] if self._outbox else []
        readable, writable, _ = select.select(readers, writers, [], self._children.patience())
        if wake in readable:
            os.read(wake, 4096)
        if 0 in readable:
            self._read_commands()
        self._relay(readable)
        if writable:
            self._outbox.write()

    def _relay(self, readable: list[int]) -> None:
        for record in self._children.records(readable):
            self._outbox.pickled_event(record)
        for child, status in self._children.reap():
            for record in child.rest():
                self._outbox.pickled_event(record)
            self._outbox.exitcode(child.task, status)

    def _read_commands(self) -> None:
        data = os.read(0, _CHUNK)
        if not data:
            self._status = 1
        for tag, payload in self._decoder.feed(data):
            if self._status is not None:
                return
            # The peer is the process that started us, over a pipe that nobody else holds.
            self._handle(tag, pickle.loads(payload))

    def _handle(self, tag: str, value: Any) -> None:
        context = self._context
        match tag:
            case "cookerconfig":
                context.configuration = value
                context.builder = bb.cookerdata.CookerDataBuilder(value, worker=True)
                context.builder.parseBaseConfiguration(worker=True)
            case "extraconfigdata":
                context.extra = value
            case "workerdata":
                self._set_up(value)
            case "newtaskhashes":
                context.hashes = value
            case "runtask":
                self._children.add(task.start(context, value, [*self._private, *self._children.descriptors()]))
            case "finishnow":
                self._children.terminate()
            case "quit":
                self._status = 0

    def _set_up(self, data: dict[str, Any]) -> None:
        self._context.workerdata = data
        bb.build.verboseShellLogging = data["build_verbose_shell"]
        bb.build.verboseStdoutLogging = data["build_verbose_stdout"]
        bb.msg.loggerDefaultLogLevel = data["logdefaultlevel"]
        bb.msg.loggerDefaultDomains = data["logdefaultdomain"]
        for datastore in self._context.builder.mcdata.values():
            datastore.setVar("PRSERV_HOST", data["prhost"])
            datastore.setVar("BB_HASHSERVE", data["hashservaddr"])
            datastore.setVar("__bbclasstype", "recipe")

    def _end_children(self) -> None:
        """Ask what still runs to end, then end it, and pass on the last words while the server still reads."""
        deadline = time.monotonic() + _GRACE_SECONDS
        self._children.terminate()
        while self._children and time.monotonic() < deadline:
            self._relay(select.select(self._children.pipes(), [], [], 0.05)[0])
        self._children.kill()
        while self._children:
            self._relay(select.select(self._children.pipes(), [], [], 0.05)[0])
        try:
            while self._outbox and time.monotonic() < deadline + _GRACE_SECONDS:
                select.select([], [self._replies], [], 0.1)
                self._outbox.write()
        except BrokenPipeError:
            pass

    def _leave(self, _number: int, _frame: object) -> None:
        # Only noted: the loop is woken by the signal and must not be torn apart between two of its steps.
        self._status = 1


def main(argv: list[str]) -> int:
    """Serve the bitbake-server whose pipes are descriptors 0 and 1; `argv`: script, magic word."""
    magic = argv[1] if len(argv) == 2 else ""
    if not magic.startswith(_MAGIC) or not stat.S_ISFIFO(os.fstat(0).st_mode) or not stat.S_ISFIFO(os.fstat(1).st_mode):
        sys.exit("bitbake-worker is started by bitbake-server, not by hand")
    library.check()
    # A stray byte among the replies would stall the build for good: only the outbox knows their descriptor.
    replies = os.dup(1)
    os.dup2(2, 1)
    outbox = Outbox(replies)
    bb.utils.set_process_name("Worker")
    bb.event.worker_fire = lambda event, _d: outbox.event(event)
    logger.addHandler(bb.event.LogHandler())
    return Worker(outbox, replies).serve()
