# SPDX-License-Identifier: MIT
"""Running kas and, through it, BitBake: a subprocess whose progress comes from BitBake's events, or from its output.

kas's Python interface is not stable, its command line is; so it is a program to us. BitBake runs in a session of its
own: Ctrl-C reaches it by pid, once, in order, and its server is waited for before the build folder is used again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build.clones import unfetched
from orchestrator.build.console import ConsoleTail
from orchestrator.build.doctor import downloads
from orchestrator.build.events import EventTail, LineTail, Outcome
from orchestrator.errors import BuildError, ConfigError, FetchError, PyContainerError, TryAgainError
from orchestrator.progress import View

_POLL_SECONDS = 0.15
_LIBC = ctypes.CDLL(None, use_errno=True)
_PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "PYCONTAINER_DEBIAN_MIRROR", "PYCONTAINER_DEBIAN_SECURITY_MIRROR",
    "DL_DIR", "SSTATE_DIR", "BB_NO_NETWORK", "BB_NUMBER_THREADS", "XDG_CACHE_HOME", "SHELL", "USER", "LOGNAME",
    "PYCONTAINER_SSTATE_MIRRORS", "PYCONTAINER_SOURCE_MIRROR",
    "PYCONTAINER_HASHSERVE", "PYCONTAINER_HASHSERVE_UPSTREAM",
    "PYCONTAINER_ACCEPT_FSL_EULA", "PYCONTAINER_LICENSE_FLAGS",
    "KAS_PREMIRRORS", "KAS_REPO_REF_DIR", "KAS_CLONE_DEPTH", "SSH_AUTH_SOCK",
)  # fmt: skip


class Interrupted(PyContainerError):
    """The user stopped the build; what was finished is kept."""

    exit_code = 130


class NoRecipeError(BuildError):
    """BitBake was asked for a recipe that there is none of."""

    def __init__(self, recipe: str, why: str, hint: str) -> None:
        super().__init__(f"no recipe {recipe}", why, hint)
        self.recipe = recipe


@dataclass(frozen=True)
class KasRun:
    """One run of kas: its configuration, recipes to build, where, and what else it needs to know."""

    home: Path
    """The checkout that holds kas/ and the BitBake layers."""
    config: Path
    build_dir: Path
    targets: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    arguments: Sequence[str] = ()
    """More words for BitBake."""
    held: int | None = None
    """The build folder's lock, which kas holds too: it outlives this process for a moment when that is killed."""
    own_interface: bool = False
    """BitBake's own user interface is used, and its output followed; else ours, which writes events."""
    provenance: bool = False
    """kas writes `attestation/kas-build.provenance.json`: what was built, and from what."""


def configuration(home: Path, base: str, machine: str) -> Path:
    """Return the kas file for a base and a machine; raises ConfigError that lists the machines there are."""
    path = home / "kas" / f"{base}-{machine}.yml"
    if not path.is_file():
        files = [file for file in (home / "kas").glob(f"{base}-*.yml") if not file.name.endswith(".lock.yml")]
        known = sorted(file.stem.removeprefix(f"{base}-") for file in files)
        others = sorted(file.stem.removesuffix(f"-{machine}") for file in (home / "kas").glob(f"*-{machine}.yml"))
        elsewhere = f"; the base {others[0]} has it" if others else "; pycontainer machines lists those of every base"
        raise ConfigError(
            f"unknown machine '{machine}' for base '{base}'",
            f"there is no {path.relative_to(home)}",
            f"machines of this base: {', '.join(known) or 'none'}{elsewhere}",
        )
    return path


def run_kas(run: KasRun, view: View) -> Outcome:
    """Build `run.targets`; returns what the events told.

    Raises FetchError when what failed was a download, BuildError for any other failure, Interrupted after Ctrl-C. In
    each case BitBake has ended before this returns.
    """
    run.build_dir.mkdir(parents=True, exist_ok=True)
    run.log.parent.mkdir(parents=True, exist_ok=True)
    events = run.build_dir / "events.jsonl"
    events.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "kas", "build", str(run.config)]
    for target in run.targets:
        argv += ["--target", target]
    if run.provenance:
        argv += ["--provenance", "true"]
    if run.arguments:
        argv += ["--", *run.arguments]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "HOME": os.environ.get("HOME", str(Path.home())),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        "KAS_WORK_DIR": str(run.home),
        "KAS_BUILD_DIR": str(run.build_dir),
        **({} if run.own_interface else {"PYCONTAINER_EVENTS": str(events), "BITBAKE_UI": "pycontainer"}),
        **run.environment,
    }
    tail = ConsoleTail(run.log, view) if run.own_interface else EventTail(events, view)
    with run.log.open("wb") as log:
        process = subprocess.Popen(
            argv,
            cwd=run.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if run.held is None else (run.held,),
            preexec_fn=_die_with(os.getpid()),
        )
        interrupts = _follow(process, tail, view)
    tail.poll()
    if interrupts:
        raise Interrupted(
            "the build was stopped", "finished tasks and downloads are kept", "run the same command again to go on"
        )
    if process.returncode != 0:
        raise _failure(run, tail.outcome, process.returncode)
    return tail.outcome


def _die_with(parent: int) -> Callable[[], None]:
    """Return what kas does before it starts: ask for SIGTERM (prctl(2), PR_SET_PDEATHSIG) when `parent` is killed."""

    def ask() -> None:
        _LIBC.prctl(1, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _follow(process: subprocess.Popen[bytes], tail: LineTail, view: View) -> int:
    """Wait for kas, passing each Ctrl-C on; returns how many there were."""
    interrupts = 0
    while True:
        try:
            while process.poll() is None:
                tail.poll()
                time.sleep(_POLL_SECONDS)
            return interrupts
        except KeyboardInterrupt:
            interrupts += 1
            view.message("note", "stopping BitBake" + ("; running tasks finish first" if interrupts == 1 else " now"))
            _interrupt(process, tail.outcome.pid, interrupts, group=isinstance(tail, ConsoleTail))


def _interrupt(process: subprocess.Popen[bytes], bitbake: int, times: int, *, group: bool) -> None:
    """Pass an interrupt on to BitBake, or, where its pid is not told, to all of the session as a terminal does."""
    target = bitbake if bitbake > 0 and times < 4 else process.pid
    try:
        if times < 4 and group:
            os.killpg(process.pid, signal.SIGINT)
        elif times < 4:
            os.kill(target, signal.SIGINT)
        else:
            os.killpg(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


_FETCH_TASKS = ("do_fetch",)
_FULL_BELOW = 4 * 1024 * 1024
_SCARCE_BELOW = 300 * 1024 * 1024
_KAS_LINE = re.compile(r"(?:\d{4}-\d\d-\d\d [\d:]{8} - (?P<level>\w+) +- )?(?P<mark>ERROR: )?(?P<line>.*)")
_FULL_DISK = "No space left on device"
_DISK_MONITOR = "disk space monitor action is"
_NO_RECIPE = re.compile(r"(?:Nothing|no recipe) PROVIDES '([^']+)'|no buildable provider(?:s)? for '?([\w.+-]+)", re.I)
_OURS = re.compile(r"^(?:ERROR: )*(?:[\w.+-]+ do_\w+: )?(.+)\n\s+why: (.+)(?:\n\s+do: +(.+))?", re.M)
_EXCEPTION = re.compile(r"^Exception: (.+)", re.M)
_THROWN = re.compile(r"^((?!AttributeError: 'bool')\w+(?:Error|Exception): .+)", re.M)
_NETWORK_WORDS = re.compile(
    r"unable to resolve|temporary failure in name|network is unreachable|connection (?:refused|timed out)"
    r"|cannot (?:be )?download|does not answer|no network|network is switched off",
    re.I,
)


def _failure(run: KasRun, outcome: Outcome, status: int) -> PyContainerError:
    """The error for a failed run: the first failed task with its own last words, or what BitBake said before any."""
    kind: type[PyContainerError]
    if full := _full_place(run):
        return full
    if any(_DISK_MONITOR in line for line in outcome.errors):
        free = shutil.disk_usage(run.build_dir).free
        return _no_room(f"BitBake stopped when it ran low; {free // 1_000_000} MB are free now in {run.build_dir}")
    if outcome.failed:
        task = outcome.failed[0]
        kind = FetchError if task.task in _FETCH_TASKS else BuildError
        log = _tail(Path(task.log))
        if _FULL_DISK in log:
            return _disk_full(log)
        also = f" (and {len(outcome.failed) - 1} more)" if len(outcome.failed) > 1 else ""
        what, why, hint = _three_lines("\n".join(outcome.errors), log)
        name = f"{task.recipe}: {task.task.removeprefix('do_')} failed{also}"
        reason = ": ".join(filter(None, [what, why])) or next(iter(outcome.errors), "")[:400]
        # A program that cannot even write its message has no room for it.
        if not reason and (scarce := _full_place(run, _SCARCE_BELOW)):
            return scarce
        return kind(name, reason or "no message", hint or f"its log: {task.log or run.log}")
    text = "\n".join(outcome.errors) or _tail(run.log)
    if _FULL_DISK in text:
        return _disk_full(text)
    if unknown := _NO_RECIPE.search(text):
        line = next(line.strip() for line in text.splitlines() if unknown[0] in line)
        return NoRecipeError(unknown[1] or unknown[2], line[:400], f"the whole output is in {run.log}")
    if lost := unfetched(text):
        return FetchError(*lost)
    said = [match for line in text.splitlines() if line.strip() and (match := _KAS_LINE.match(line.strip()))]
    # kas logs BitBake's words as its own, and much besides: errors before anything else.
    lines = [one["line"] for one in said if one["mark"] or one["level"] in ("ERROR", "CRITICAL")]
    lines = lines or [one["line"] for one in said]
    what, why, hint = _three_lines(text, "")
    if not (what and why):
        what, why = [*lines[:2], f"kas ended with status {status}", ""][:2]
    kind = FetchError if _NETWORK_WORDS.search(text) else ConfigError if status == 2 else BuildError
    return kind(what, why, hint or f"the whole output is in {run.log}")


def _full_place(run: KasRun, below: int = _FULL_BELOW) -> TryAgainError | None:
    """The error for a file system that has no room left: wget and others fail on it without a word of it."""
    folder = run.environment.get("DL_DIR") or downloads()
    for place in (run.build_dir, Path(folder)):
        with contextlib.suppress(OSError):
            if (free := shutil.disk_usage(place).free) < below:
                return _no_room(f"{free // 1_000_000} MB are left in {place}")
    return None


def _no_room(why: str) -> TryAgainError:
    return TryAgainError("the disk is full", why, "make room and run the same command again; nothing is lost")


def _three_lines(errors: str, log: str) -> tuple[str, str, str]:
    """Take what, why and what to do out of an error that a recipe or class of ours raised, or out of an exception."""
    for text in (errors, log):
        if found := _OURS.search(text):
            return tuple(" ".join((part or "").split())[:400] for part in found.groups())  # type: ignore[return-value]
    thrown = _EXCEPTION.findall(log) or _THROWN.findall(errors)
    return (thrown[-1][:400] if thrown else _last_error(log), "", "")


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith(("DEBUG:", "NOTE:"))]
    marked = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (marked or lines or [""])[-1][:400]


def _disk_full(text: str) -> TryAgainError:
    line = next(line.strip() for line in text.splitlines() if _FULL_DISK in line)
    return _no_room(line[-300:])


def _tail(path: Path, size: int = 8192) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
