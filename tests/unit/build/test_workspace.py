# SPDX-License-Identifier: MIT
"""Two builds in one folder: the second is told so at once; a dead one leaves no lock behind."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.build.workspace import Workspace
from orchestrator.errors import TryAgainError


def test_a_second_build_is_refused_with_the_holders_pid(tmp_path: Path):
    place = Workspace(tmp_path / "pycontainer.yaml", "demo", "qemu-amd64")
    script = (
        "import sys,time; from pathlib import Path; from orchestrator.build.workspace import Workspace\n"
        "w = Workspace(Path(sys.argv[1]), 'demo', 'qemu-amd64')\n"
        "with w.locked(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(place.product_file)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TryAgainError) as caught, place.locked():
            pass
        assert caught.value.exit_code == 75
        assert str(holder.pid) in caught.value.why
        holder.kill()
    with place.locked():
        pass


def test_the_products_own_lock_file_comes_first(tmp_path: Path):
    place = Workspace(tmp_path / "pycontainer.yaml", "demo", "qemu-amd64")
    assert place.package_lock == place.bitbake / "debian.lock.json"
    (tmp_path / "pycontainer.lock").write_text("{}")
    assert place.package_lock == tmp_path / "pycontainer.lock"


def test_what_a_killed_build_still_holds_is_not_to_be_stopped(tmp_path: Path):
    place = Workspace(tmp_path / "pycontainer.yaml", "demo", "qemu-amd64")
    place.build.mkdir()
    dead = subprocess.Popen(["true"])
    dead.wait()
    with (place.build / ".lock").open("w") as held:
        held.write(f"{dead.pid}\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TryAgainError, match="a killed build is still ending") as caught, place.locked():
            pass
    assert str(dead.pid) in caught.value.why
    assert "stop" not in caught.value.hint
