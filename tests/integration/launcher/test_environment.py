# SPDX-License-Identifier: MIT
"""oe-init-build-env as kas sources it, and kas itself."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# kas: set -e, standard output thrown away, then `env`. The shell's parent here is a shell: no Python to be found there.
KAS_SCRIPT = 'set -e\nsource ./oe-init-build-env "$1" > /dev/null\nenv\n'


def source(checkout: Path, build: Path, path: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", 'bash -c "$0" bash "$1"; exit $?', KAS_SCRIPT, str(build)],
        cwd=checkout / "meta-pycontainer-debian",
        env={"PATH": path, **environ},
        capture_output=True,
        text=True,
    )


def with_wheel(cache: Path) -> dict[str, str]:
    return {"path": f"{Path(sys.executable).parent}:{PATH}", "XDG_CACHE_HOME": str(cache)}


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def other_python(folder: Path, version: str | None) -> Path:
    """A virtual environment without the wheel, or with one that claims `version`; returns its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    if version:
        packages = next(folder.glob("lib/python*/site-packages"))
        info = packages / f"bitbake_setup-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bitbake-setup\nVersion: {version}\n")
        (info / "RECORD").write_text("")
    return folder / "bin"


def test_the_script_puts_bitbake_on_path_and_makes_the_conf_folder(checkout, tmp_path, cache):
    done = source(checkout, tmp_path / "build", **with_wheel(cache))
    assert done.returncode == 0, done.stderr
    found = variables(done.stdout)
    assert Path(shutil.which("bitbake", path=found["PATH"])).is_relative_to(cache)
    assert Path(shutil.which("python3", path=found["PATH"])).parent == Path(sys.executable).parent
    assert (tmp_path / "build/conf").is_dir()
    assert found["DL_DIR"] == f"{cache}/pycontainer/downloads"
    assert "SOURCE_DATE_EPOCH" in found["BB_ENV_PASSTHROUGH_ADDITIONS"].split()


def test_a_line_break_in_the_callers_environment_reaches_kas_as_no_second_variable(checkout, tmp_path, cache):
    done = source(checkout, tmp_path / "build", **with_wheel(cache), DL_DIR="/x\nLD_PRELOAD=/evil.so")
    assert done.returncode == 1
    assert "DL_DIR has a line break" in done.stderr


@pytest.mark.parametrize("version", ["2.18.0", "2.20.0"])
def test_another_version_of_the_wheel_is_refused_with_the_command_that_mends_it(checkout, tmp_path, version):
    path = f"{other_python(tmp_path / 'venv', version)}:{PATH}"
    done = source(checkout, tmp_path / "build", path, HOME=str(tmp_path))
    assert done.returncode == 1
    assert f"BitBake {version} is not supported" in done.stderr
    assert "pip install bitbake-setup==2.19.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".cache").exists()


def test_without_the_wheel_the_script_says_what_to_install(checkout, tmp_path):
    path = f"{other_python(tmp_path / 'venv', None)}:{PATH}"
    done = source(checkout, tmp_path / "build", path, HOME=str(tmp_path))
    assert done.returncode == 1
    assert "BitBake is missing" in done.stderr and "pip install bitbake-setup==2.19.0" in done.stderr


def test_the_checkouts_own_virtual_environment_goes_before_path(checkout, tmp_path, cache):
    (checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
    path = f"{other_python(tmp_path / 'venv', '2.18.0')}:{PATH}"
    done = source(checkout, tmp_path / "build", path, XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stderr
    assert str(checkout / ".venv/bin") in variables(done.stdout)["PATH"]


def test_two_at_once_make_one_complete_home(checkout, tmp_path):
    program = checkout / "meta-pycontainer-debian/bitbake/lib/pycontainer_bitbake/environment.py"
    cache = tmp_path / "cache"
    running = [
        subprocess.Popen(
            [sys.executable, "-I", program, tmp_path / "build", "0"],
            env={"PATH": PATH, "XDG_CACHE_HOME": str(cache)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    texts = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert len(texts) == 1
    assert len(list((cache / "pycontainer").iterdir())) == 1, "one home and no temporary folder"


@pytest.fixture
def project(checkout: Path, build) -> Path:
    """A kas project over a layer with one sleepy recipe; kas's repository is a copy of the launcher."""
    layer = checkout / "meta-pycontainer-debian"
    for name in ("conf/bitbake.conf", "classes/base.bbclass"):
        (layer / name).parent.mkdir(exist_ok=True)
        shutil.copy(build.folder / name, layer / name)
    (layer / "conf/layer.conf").write_text('BBPATH .= ":${LAYERDIR}"\nBBFILES += "${LAYERDIR}/recipes/*.bb"\n')
    (layer / "recipes").mkdir()
    (layer / "recipes/nap.bb").write_text(
        "do_nap() {\n    mkdir -p ${OUT}\n    touch ${OUT}/running\n    sleep ${NAP}\n}\naddtask nap before do_build\n"
    )
    (checkout / "kas.yml").write_text("""\
header: {version: 14}
build_system: oe
machine: any
distro: any
target: nap
env: {PYCONTAINER_EVENTS: null, NAP: "0"}
repos:
  debian: {path: meta-pycontainer-debian, layers: {.: }}
""")
    subprocess.run(["git", "init", "-q", checkout], check=True)
    return checkout


def kas(project: Path, cache: Path, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kas", "build", "kas.yml"],
        cwd=project,
        env={"PATH": PATH, "HOME": str(cache), "LC_ALL": "C.UTF-8", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_kas_builds_with_the_launcher(project, cache):
    process = kas(project, cache, PYCONTAINER_EVENTS=str(project / "events.json"))
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    assert (cache / ".cache/pycontainer").is_dir(), "kas keeps HOME from the script, which finds it all the same"
    assert "recipe nap-1.0: task do_nap: Succeeded" in text
    assert (project / "events.json").read_text().endswith('{"event":"exit","status":0}\n')


def test_an_interrupt_of_kas_ends_its_bitbake_and_the_running_task(project, cache):
    process = kas(project, cache, NAP="300")
    deadline = time.monotonic() + 30
    while not (project / "build/out/running").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not (project / "build/bitbake.sock").exists(), "the server has ended"
