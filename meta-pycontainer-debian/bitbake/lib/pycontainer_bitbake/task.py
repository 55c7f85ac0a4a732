# SPDX-License-Identifier: GPL-2.0-only
"""One task: fork, set up the environment that the task's recipe asks for, run it, leave."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import bb
import bb.build
import bb.cache
import bb.data
import bb.event
import bb.parse
import bb.utils

from . import frames
from .children import Child
from .outbox import dumps

logger = logging.getLogger("BitBake")
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@dataclass
class Context:
    """The worker's process id and what the server has sent before the first task, in types of BitBake's library."""

    worker: int = field(default_factory=os.getpid)
    configuration: Any = None
    builder: Any = None
    extra: Any = None
    workerdata: Any = None
    hashes: Any = None


@dataclass(frozen=True)
class _Pipe:
    """The way of a task's events to its worker: one record at a time, whoever in the task's processes writes."""

    fd: int
    lock: Any

    def fire(self, event: object, _d: object) -> None:
        data = memoryview(frames.record(dumps(event)))
        with self.lock:
            while data:
                data = data[os.write(self.fd, data) :]


def start(context: Context, order: dict[str, Any], private: list[int]) -> Child:
    """Start the task of a `runtask` message in a child process, which closes the worker's `private` descriptors."""
    name, taskdep = order["taskname"], order["taskdep"]
    dry_run = context.configuration.dry_run or order["dry_run"]
    umask = taskdep.get("umask", {}).get(name) or context.workerdata["umask"]
    fakeroot_env: dict[str, str] = {}
    if name in taskdep.get("fakeroot", {}) and not dry_run:
        fakeroot_env = _pairs(order["fakerootenv"])
        for folder in (order["fakerootdirs"] or "").split():
            bb.utils.mkdirhier(folder)
        extra_env = fakeroot_env
    else:
        extra_env = _pairs(order["fakerootnoenv"])
    reader, writer = os.pipe()
    # Created before the fork: a task may itself fork processes that fire events through the same pipe.
    lock = multiprocessing.get_context("fork").Lock()
    sys.stdout.flush()
    sys.stderr.flush()
    # A fakeroot library reads its settings when the process forks; a stop signal must not meet our own handlers there.
    with _environment(extra_env):
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        pid = os.fork()
        if pid == 0:
            _child(context, order, _Pipe(writer, lock), [*private, reader], umask, fakeroot_env, dry_run)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    os.close(writer)
    return Child(pid, order["task"], reader)


def _child(
    context: Context,
    order: dict[str, Any],
    pipe: _Pipe,
    private: list[int],
    umask: Any,
    fakeroot_env: dict[str, str],
    dry_run: bool,
) -> NoReturn:
    """Run in the child process from the fork to its end."""
    status = 1
    try:
        _detach(context.worker, umask, private)
        bb.event.worker_pid = os.getpid()
        bb.event.worker_fire = pipe.fire
        status = _run(context, order, fakeroot_env, dry_run)
    except bb.BBHandledException:
        pass
    except BaseException as error:
        logger.error("%s: %s: %s", order["task"], type(error).__name__, error, exc_info=True)
    finally:
        os._exit(status)


def _detach(worker: int, umask: Any, private: list[int]) -> None:
    """Leave the worker's signals, group, descriptors and umask behind."""
    for fd in private:
        os.close(fd)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.setsid()
    for number in _STOP_SIGNALS:
        signal.signal(number, _end_group)
    bb.utils.signal_on_parent_exit("SIGTERM")
    if os.getppid() != worker:  # it died before the line above
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    if umask:
        os.umask(bb.utils.to_filemode(umask))


def _end_group(number: int, _frame: object) -> None:
    """Pass a stop signal on to everything the task has started, and die of it."""
    signal.signal(number, signal.SIG_DFL)
    os.killpg(0, number)


def _run(context: Context, order: dict[str, Any], fakeroot_env: dict[str, str], dry_run: bool) -> int:
    fn, name = order["fn"], order["taskname"]
    base = context.builder.mcdata[bb.cache.virtualfn2realfn(fn)[2]]
    base.setVar("BB_WORKERCONTEXT", "1")
    base.setVar("BB_TASKDEPDATA", order["taskdepdata"])
    base.setVar("BB_CURRENTTASK", name.removeprefix("do_"))
    if context.configuration.limited_deps:
        base.setVar("BB_LIMITEDDEPS", "1")
    for variable in ("buildname", "date", "time"):
        base.setVar(variable.upper(), context.workerdata[variable])
    for variable, value in context.extra.items():
        base.setVar(variable, value)
    siggen = bb.parse.siggen
    siggen.set_taskdata(context.workerdata["sigdata"])
    if context.hashes:
        siggen.set_taskhashes(context.hashes)
    d = context.builder.parseRecipe(fn, order["appends"], order["layername"])
    d.setVar("BB_TASKHASH", order["taskhash"])
    d.setVar("BB_UNIHASH", order["unihash"])
    siggen.setup_datacache_from_datastore(fn, d)
    bb.utils.set_process_name(f"{d.getVar('PN')}:{name.removeprefix('do_')}")
    _cut_network(d, name)
    _set_environment(d, name, fakeroot_env)
    if order["quieterrors"]:
        d.setVarFlag(name, "quieterrors", "1")
    if dry_run:
        return 0
    status = int(bb.build.exec_task(fn, name, d, bool(context.configuration.profile)))
    if fakeroot_env:
        # The fakeroot server must have written its database before the next task starts (its option -S: stop).
        subprocess.call([*shlex.split(d.getVar("FAKEROOTCMD")), "-S"], stdout=subprocess.DEVNULL)
    return status


def _cut_network(d: Any, name: str) -> None:
    """Take the network away unless the task's flag `network` is set. Users from a directory service keep theirs."""
    if bb.utils.to_boolean(d.getVarFlag(name, "network")):
        return
    if bb.utils.is_local_uid():
        bb.utils.disable_network(os.getuid(), os.getgid())


def _set_environment(d: Any, name: str, fakeroot_env: dict[str, str]) -> None:
    for variable in (d.getVarFlag(name, "exports") or "").split():
        d.setVarFlag(variable, "export", "1")
    # Expand first: an exported value may depend on the environment that is emptied next.
    exported = list(bb.data.exported_vars(d))
    bb.utils.empty_environment()
    os.environ.update(exported)
    for variable, value in fakeroot_env.items():
        os.environ[variable] = value
        d.setVar(variable, value)
        d.setVarFlag(variable, "export", "1")


def _pairs(text: str | None) -> dict[str, str]:
    return dict(word.split("=", 1) for word in (text or "").split() if "=" in word)


@contextmanager
def _environment(extra: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in extra}
    os.environ.update(extra)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
