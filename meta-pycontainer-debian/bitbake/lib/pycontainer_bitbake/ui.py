# SPDX-License-Identifier: GPL-2.0-only
"""The user interface `pycontainer` of BitBake: plain lines on standard output and JSON lines for a program.

Stops in two steps: the first SIGINT lets running tasks finish, the second (or SIGTERM) ends them.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Any

import bb
import bb.cooker
import bb.msg
import bb.utils

from .events import EventFile
from .report import Report

featureSet = [bb.cooker.CookerFeatures.SEND_SANITYEVENTS]
events = EventFile(None)

_POLL_SECONDS = 0.25
_PING_POLLS = 240
_SERVER_LOST = (BrokenPipeError, EOFError, bb.server.process.ProcessTimeout)
_EVENTS = [
    "logging.LogRecord",
    "bb.build.TaskBase",
    "bb.build.TaskStarted",
    "bb.build.TaskSucceeded",
    "bb.build.TaskFailed",
    "bb.build.TaskFailedSilent",
    "bb.build.TaskProgress",
    "bb.command.CommandCompleted",
    "bb.command.CommandExit",
    "bb.command.CommandFailed",
    "bb.cooker.CookerExit",
    "bb.event.LogExecTTY",
    "bb.event.MultipleProviders",
    "bb.event.NoProvider",
    "bb.event.ParseCompleted",
    "bb.event.ParseProgress",
    "bb.event.ParseStarted",
    "bb.runqueue.runQueueExitWait",
    "bb.runqueue.runQueueTaskCompleted",
    "bb.runqueue.runQueueTaskFailed",
    "bb.runqueue.runQueueTaskSkipped",
    "bb.runqueue.runQueueTaskStarted",
    "bb.runqueue.sceneQueueTaskFailed",
    "bb.runqueue.sceneQueueTaskStarted",
]


def main(server: Any, queue: Any, parameters: Any) -> int:
    """Ask `server` for what the command line says and report until it is done; returns the exit status."""
    stops = _Stops()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name in a message may be no text at all
        sys.stdout.reconfigure(errors="backslashreplace")
    report = Report(sys.stdout, events, parameters.options.quiet, parameters.options.verbose)
    try:
        if not _ask(server, queue, parameters, report):
            return report.finish(interrupted=bool(stops.asked))
        idle = 0
        while not report.ended:
            stops.pass_on(server, report)
            event = queue.waitEvent(_POLL_SECONDS)
            if event is not None:
                report.take(event)
            elif not queue.t.is_alive():  # its thread ends with the connection
                raise EOFError("it has closed the connection")
            idle = 0 if event is not None else idle + 1
            if idle == _PING_POLLS:
                server.runCommand(["ping"])
                idle = 0
    except _SERVER_LOST as error:
        report.error(f"bitbake-server is lost ({error}); its last words are in bitbake-cookerdaemon.log")
    except bb.BBHandledException:
        _drain(queue, report)
        report.failed()
    return report.finish(interrupted=bool(stops.asked))


class _Stops:
    """Counts the signals that ask the build to stop and passes each on once."""

    def __init__(self) -> None:
        self.asked = 0
        self._passed = 0
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.asked = 2 if number == signal.SIGTERM else min(2, self.asked + 1)

    def pass_on(self, server: Any, report: Report) -> None:
        """Tell the server what was asked since the last time."""
        if self.asked <= self._passed:
            return
        self._passed = self.asked
        if self.asked == 1:
            report.say("Interrupted: running tasks will finish. Interrupt again to end them now.")
            command = "stateShutdown"
        else:
            report.say("Interrupted: ending running tasks.")
            command = "stateForceShutdown"
        _, error = server.runCommand([command])
        if error:
            report.error(f"The server does not stop: {error}")


def _ask(server: Any, queue: Any, parameters: Any, report: Report) -> bool:
    """Send the command line's request; returns False (with an error reported) when there is nothing to wait for."""
    if not parameters.observe_only:
        parameters.updateToServer(server, os.environ.copy())
    level, domains = bb.msg.constructLogOptions()
    handle = server.getEventHandle()
    server.runCommand(["setEventMask", handle, level, domains, _EVENTS])
    if parameters.observe_only:
        return True
    parameters.updateFromServer(server)
    request = parameters.parseActions()
    if not request:
        report.error("Nothing to do: name a recipe, or see bitbake --help")
        return False
    if request["msg"]:
        report.error(request["msg"])
        return False
    accepted, error = server.runCommand(request["action"])
    if error or not accepted:
        _drain(queue, report)
        report.error(f"The request {request['action'][0]} failed: {error or 'the server is busy'}")
        return False
    return True


def _drain(queue: Any, report: Report) -> None:
    while (event := queue.waitEvent(_POLL_SECONDS)) is not None:
        report.take(event)
