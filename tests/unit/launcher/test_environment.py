# SPDX-License-Identifier: MIT
"""What the init script exports, and the stubs beside the library."""

from __future__ import annotations

import locale
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import hashserv
import prserv.serv
import pytest
from pycontainer_bitbake import environment
from pycontainer_bitbake.version import LauncherError, WheelMissing

HOME = Path("/cache/pycontainer/bitbake")


@pytest.fixture(autouse=True)
def no_copy(monkeypatch):
    monkeypatch.setattr(environment, "ensure", lambda _cache: HOME)
    monkeypatch.setattr(environment, "cache_folder", lambda environ, _build: Path(environ["HOME"], "cache"))
    monkeypatch.setattr(environment, "mirrors", lambda _environ: environment_mirrors())


def environment_mirrors():
    raise environment.MirrorError("none")


def test_the_programs_come_first_on_path_and_once():
    found = environment.assignments(Path("/b"), {"PATH": f"/usr/bin:{HOME}/bin", "HOME": "/h"})
    assert found["PATH"].split(":") == [f"{HOME}/bin", str(Path(sys.executable).parent), "/usr/bin"]


def test_downloads_go_to_the_cache_unless_asked_otherwise():
    assert environment.assignments(Path("/b"), {"HOME": "/h"})["DL_DIR"] == "/h/cache/downloads"
    assert environment.assignments(Path("/b"), {"HOME": "/h", "DL_DIR": "/mine"})["DL_DIR"] == "/mine"


def test_names_that_the_caller_passes_through_stay_and_none_comes_twice():
    found = environment.assignments(Path("/b"), {"HOME": "/h", "BB_ENV_PASSTHROUGH_ADDITIONS": "MINE DL_DIR"})
    names = found["BB_ENV_PASSTHROUGH_ADDITIONS"].split()
    assert "MINE" in names and len(names) == len(set(names))


def test_without_a_mirror_none_is_exported():
    assert "DEBIAN_MIRROR" not in environment.assignments(Path("/b"), {"HOME": "/h"})


def test_the_assignments_are_quoted_for_the_shell(monkeypatch, capsys):
    monkeypatch.setattr(environment, "check_host", lambda: None)
    monkeypatch.setenv("DL_DIR", "/my $(touch x)'s")
    assert environment.main(["environment.py", "/b", "1"]) == 0
    words = shlex.split(capsys.readouterr().out)
    assert "DL_DIR=/my $(touch x)'s" in words


def until_it_runs(process: subprocess.Popen) -> None:
    """Between fork and exec a child still shows its parent's command line."""
    ours = Path("/proc/self/cmdline").read_bytes()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{process.pid}/cmdline").read_bytes() in (b"", ours) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_the_folders_of_a_python_caller_are_found_and_those_of_no_other(monkeypatch):
    code = "import sys; sys.stdin.read()"
    environ = {"HOME": "/my/home", "XDG_CACHE_HOME": "/my/cache", "OTHER": "x"}
    for program, expected in (
        ([sys.executable, "-c", code], {"HOME": "/my/home", "XDG_CACHE_HOME": "/my/cache"}),
        (["cat"], {}),
    ):
        process = subprocess.Popen(program, env=environ, stdin=subprocess.PIPE)
        until_it_runs(process)
        assert environment.caller_folders(str(process.pid)) == expected
        process.communicate()
    assert environment.caller_folders("no number") == {}


@pytest.mark.parametrize("program", ["wget", "zstd"])
def test_a_missing_program_is_told_with_the_command_that_installs_it(monkeypatch, program):
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else f"/usr/bin/{name}")
    with pytest.raises(LauncherError, match=program) as caught:
        environment.check_host()
    assert "doctor --install" in caught.value.hint


def test_a_missing_locale_is_told_with_the_command_that_installs_it(monkeypatch):
    def refuse(_category, name=None):
        if name == "en_US.UTF-8":
            raise locale.Error
        return "C"

    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/wget")
    monkeypatch.setattr(locale, "setlocale", refuse)
    with pytest.raises(LauncherError, match=r"en_US\.UTF-8") as caught:
        environment.check_host()
    assert "doctor --install" in caught.value.hint


def test_a_python_without_the_wheel_is_passed_over_silently(monkeypatch, capsys):
    def missing():
        raise WheelMissing("BitBake is missing", "why", "hint")

    monkeypatch.setattr(environment, "wheel_files", missing)
    assert environment.main(["environment.py", "/b", "1"]) == 3
    assert capsys.readouterr() == ("", "")
    assert environment.main(["environment.py", "--explain"]) == 3
    assert "BitBake is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "valid"), [("a" * 64, True), ("A" * 64, False), ("a" * 63, False), ("a" * 64 + "\n", False)]
)
def test_a_unified_hash_is_64_lower_hexadecimal_digits(value, valid):
    assert hashserv.is_valid_unihash(value) is valid


def test_asking_for_hash_equivalence_or_a_revision_server_is_an_error():
    with pytest.raises(NotImplementedError):
        hashserv.create_client("unix://x")
    assert prserv.serv.auto_start(_Datastore("")) is None
    with pytest.raises(prserv.serv.PRServiceConfigError):
        prserv.serv.auto_start(_Datastore("localhost:0"))


class _Datastore:
    def __init__(self, host):
        self.host = host

    def getVar(self, _name):
        return self.host
