# SPDX-License-Identifier: MIT
"""A build directory with a configuration of a few lines, and the real bitbake to run in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

LAYER = Path(__file__).resolve().parents[3] / "meta-pycontainer-debian"
sys.path.insert(0, str(LAYER / "bitbake" / "lib"))

BITBAKE_CONF = """\
PN = "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[0]}"
PV = "1.0"
PF = "${PN}-${PV}"
CACHE = "${TOPDIR}/cache"
PERSISTENT_DIR = "${CACHE}"
TMPDIR = "${TOPDIR}/tmp${@'-' + d.getVar('BB_CURRENT_MC') if d.getVar('BB_CURRENT_MC') else ''}"
WORKDIR = "${TMPDIR}/work/${PN}"
T = "${WORKDIR}/temp"
B = "${WORKDIR}"
STAMP = "${TMPDIR}/stamps/${PN}"
OUT = "${TOPDIR}/out"
BB_SIGNATURE_HANDLER = "basichash"
BB_BASEHASH_IGNORE_VARS = "PATH PWD TOPDIR TMPDIR OUT"
BB_DEFAULT_TASK = "build"
BB_NUMBER_THREADS = "4"
export PATH
include conf/local.conf
include conf/multiconfig/${BB_CURRENT_MC}.conf
"""

BASE_CLASS = """\
do_build[noexec] = "1"
do_build() {
    :
}
addtask build
"""


class Run:
    """A bitbake that was started: `finish` waits for it and returns self, with `status`, `text` and `events`."""

    def __init__(self, process: subprocess.Popen[str], events: Path) -> None:
        self.process, self._events = process, events
        self.status = -1
        self.text = ""

    def finish(self, timeout: float = 60) -> Run:
        try:
            self.text, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.status = self.process.returncode
        return self

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self._events.read_text().splitlines()]

    def states(self, task: str) -> list[tuple[str, str]]:
        """(recipe, state) of each event about `task`, in order."""
        found = [event for event in self.events if event["event"] == "task" and event["task"] == task]
        return [(event["recipe"], event["state"]) for event in found]


class Build:
    """A build directory: write recipes into it, run bitbake in it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self._cache = folder, cache
        layers = f'BBPATH = "${{TOPDIR}}"\nBBFILES = "${{TOPDIR}}/recipes/*.bb"\nBBLAYERS = "{folder}/layer"\n'
        for name, text in {
            "conf/bblayers.conf": layers,
            "layer/conf/layer.conf": 'BBPATH .= ":${LAYERDIR}"\n',
            "conf/bitbake.conf": BITBAKE_CONF,
            "classes/base.bbclass": BASE_CLASS,
        }.items():
            self.write(name, text)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def recipe(self, name: str, text: str) -> None:
        self.write(f"recipes/{name}.bb", text)

    def start(self, *arguments: str, **extra: str) -> Run:
        self.out.mkdir(exist_ok=True)
        environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder)}
        environ |= {"XDG_CACHE_HOME": str(self._cache)} | extra
        program = LAYER / "bitbake/lib/pycontainer_bitbake/environment.py"
        text = subprocess.run(
            [sys.executable, "-I", program, self.folder, "0"], env=environ, check=True, capture_output=True, text=True
        ).stdout
        events = self.folder / f"events-{time.monotonic_ns()}.json"
        shell = f'{text}\nexec bitbake "$@"'
        process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *arguments],
            env=environ | {"PYCONTAINER_EVENTS": str(events)},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Run(process, events)

    def run(self, *arguments: str, **extra: str) -> Run:
        return self.start(*arguments, **extra).finish()

    def wait_for(self, name: str, timeout: float = 30) -> Path:
        """Wait until a task has written out/<name>."""
        path = self.out / name
        deadline = time.monotonic() + timeout
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} did not appear"
            time.sleep(0.02)
        return path

    def processes(self, patience: float = 5) -> list[str]:
        """Command lines of processes that work in this build directory; waits until there is none, up to `patience`."""
        deadline = time.monotonic() + patience
        while (found := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _processes(self) -> list[str]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                cwd = str((entry / "cwd").readlink())
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and (cwd + "/").startswith(f"{self.folder}/"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def build(tmp_path: Path, cache: Path) -> Build:
    return Build(tmp_path / "build", cache)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a checkout has of the launcher: nothing else can be found from it."""
    folder = tmp_path / "checkout"
    target = folder / "meta-pycontainer-debian"
    shutil.copytree(LAYER / "bitbake", target / "bitbake", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(LAYER / "oe-init-build-env", target / "oe-init-build-env")
    (target / "lib/pycontainer_debian").mkdir(parents=True)
    for module in ("mirror.py", "errors.py"):
        shutil.copy(LAYER / "lib/pycontainer_debian" / module, target / "lib/pycontainer_debian" / module)
    return folder
