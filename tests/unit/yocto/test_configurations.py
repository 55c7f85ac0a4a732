# SPDX-License-Identifier: MIT
"""Every kas configuration and every pipeline that people copy follows its format's own schema."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kas.configschema
import kconfiglib
import pytest
import yaml
from jsonschema import Draft7Validator
from kas.plugins.menu import Menu

from orchestrator.build.kas import _PASSED_ON, configuration
from orchestrator.errors import ConfigError

ROOT = Path(__file__).parents[3]
KAS = sorted((ROOT / "kas").rglob("*.yml"))
MACHINES = sorted(path for path in (ROOT / "kas").glob("*.yml") if not path.name.endswith(".lock.yml"))
BOARDS = ("raspberrypi4-64", "raspberrypi5", "beagleplay", "imx8mm-lpddr4-evk", "visionfive2")


@pytest.mark.parametrize("path", KAS, ids=lambda path: path.name)
def test_a_kas_file_follows_the_schema_of_kas(path: Path) -> None:
    wrong = list(Draft7Validator(kas.configschema.CONFIGSCHEMA).iter_errors(yaml.safe_load(path.read_text())))
    assert not wrong, wrong[0].message


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_a_machine_includes_files_that_are_there(path: Path) -> None:
    todo, seen = [path], set()
    while todo:
        file = todo.pop()
        seen.add(file)
        for name in yaml.safe_load(file.read_text())["header"].get("includes", []):
            assert (ROOT / name).is_file(), f"{file.name} includes {name}"
            todo.append(ROOT / name)
    assert any(yaml.safe_load(file.read_text()).get("repos") for file in seen)


YOCTO = [path for path in MACHINES if path.stem.startswith("yocto-")]


@pytest.fixture(scope="module")
def resolving(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Give a copy of kas/ without locks, and an environment in which every repository is a local, nearly empty one."""
    place = tmp_path_factory.mktemp("kas")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t.example", "-C", str(place / "remote")]
    (place / "remote").mkdir()
    for words in (
        ("init", "-q", "-b", "wrynose"),
        ("commit", "-q", "--allow-empty", "-m", "empty"),
        ("branch", "2.18"),
    ):
        subprocess.run([*git, *words], check=True)
    top = place / "top"
    shutil.copytree(ROOT / "kas", top / "kas", ignore=shutil.ignore_patterns("*.lock.yml"))
    for name in ("meta-pycontainer", "meta-pycontainer-debian"):
        (top / name).mkdir()
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    environment = os.environ | {"KAS_PREMIRRORS": f"https://.* file://{place / 'remote'}", "KAS_WORK_DIR": str(place)}
    return top, environment


@pytest.mark.parametrize("name", [path.stem for path in MACHINES])
def test_kas_resolves_every_machine(resolving: tuple[Path, dict[str, str]], name: str) -> None:
    top, environment = resolving
    done = subprocess.run(
        [sys.executable, "-m", "kas", "-l", "error", "dump", "--format", "json", f"kas/{name}.yml"],
        cwd=top,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    wrong = list(Draft7Validator(kas.configschema.CONFIGSCHEMA).iter_errors(value))
    assert not wrong, wrong[0].message
    base, _, machine = name.partition("-")
    assert value["machine"] == machine
    assert value["distro"] == {"yocto": "pycontainer", "debian": "pycontainer-debian"}[base]


def chosen(place: Path, machine: str, **site: str) -> dict[str, Any]:
    """Choose in the menu as a person does, and return what kas saves of it; the keywords switch entries on."""
    menu = Menu()
    menu.orig_config = {}
    menu.kconf = kconfiglib.Kconfig(str(ROOT / "kas" / "Kconfig"), warn_to_stderr=False)
    assert menu.kconf.warnings == []
    for name, value in {machine: "y", **site}.items():
        assert menu.kconf.syms[name].set_value(value)
    menu.save_config(str(place / ".config.yaml"), str(ROOT))
    found = yaml.safe_load((place / ".config.yaml").read_text())
    wrong = list(Draft7Validator(kas.configschema.CONFIGSCHEMA).iter_errors(found))
    assert not wrong, wrong[0].message
    return dict(found)


def choices() -> list[str]:
    menu = kconfiglib.Kconfig(str(ROOT / "kas" / "Kconfig"), warn_to_stderr=False)
    return [symbol.name for choice in menu.choices for symbol in choice.syms]


def test_the_menu_offers_every_machine_once(tmp_path: Path) -> None:
    offered = []
    for name in choices():
        [included] = chosen(tmp_path, name)["header"]["includes"]
        assert Path(included).stem.replace("-", "_").upper() == name
        offered.append(ROOT / included)
    assert sorted(offered) == MACHINES


def test_what_is_chosen_in_the_menu_is_what_kas_builds(resolving: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    top, environment = resolving
    value = chosen(tmp_path, "YOCTO_VISIONFIVE2", SITE_FOLDERS="y", SITE_HASHSERVE="y", DL_DIR="/srv/downloads")
    (top / ".config.yaml").write_text(yaml.safe_dump(value | {"_source_dir": str(top)}))
    done = subprocess.run(
        [sys.executable, "-m", "kas", "-l", "error", "dump", "--format", "json", ".config.yaml"],
        cwd=top, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    built = json.loads(done.stdout)
    assert built["machine"] == "visionfive2"
    settings = built["local_conf_header"]["__menu_config_vars"].splitlines()
    assert settings == ['DL_DIR = "/srv/downloads"', 'SSTATE_DIR = "/srv/yocto/sstate"',
                        'PYCONTAINER_HASHSERVE = "localhost:8686"']  # fmt: skip


def test_the_caches_are_not_offered_for_debian_packages(tmp_path: Path) -> None:
    value = chosen(tmp_path, "DEBIAN_QEMU_AMD64", SITE_FOLDERS="y")
    assert "local_conf_header" not in value


@pytest.mark.parametrize("path", YOCTO, ids=lambda path: path.stem)
def test_every_repository_of_a_machine_is_pinned_by_its_lock(path: Path) -> None:
    lock = path.with_suffix(".lock.yml")
    pinned = yaml.safe_load(lock.read_text())["overrides"]["repos"]
    wanted: set[str] = set()
    todo = [path]
    while todo:
        value = yaml.safe_load(todo.pop().read_text())
        wanted |= {name for name, repo in value.get("repos", {}).items() if "url" in repo}
        todo += [ROOT / name for name in value["header"].get("includes", [])]
    assert set(pinned) == wanted
    assert all(len(each["commit"]) == 40 for each in pinned.values())


def test_the_boards_are_machines_of_the_base_and_locks_are_not() -> None:
    for board in BOARDS:
        assert configuration(ROOT, "yocto", board).is_file()
    with pytest.raises(ConfigError) as caught:
        configuration(ROOT, "yocto", "toaster")
    assert ".lock" not in caught.value.hint
    assert "raspberrypi5" in caught.value.hint


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("vendor.github-workflows", "github.yml"),
        ("vendor.gitlab-ci", "gitlab.yml"),
        ("vendor.gitlab-ci", "yocto.gitlab.yml"),
        ("vendor.compose-spec", "yocto-cache.compose.yml"),
    ],
)
def test_a_pipeline_to_copy_follows_its_vendors_schema(schema: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--output-format", "json", "--builtin-schema", schema,
         str(ROOT / "docs" / "ci" / name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["status"] == "ok", done.stdout


def test_what_a_pipeline_sets_for_the_base_reaches_bitbake() -> None:
    taken = yaml.safe_load((ROOT / "kas" / "include" / "yocto.yml").read_text())["env"]
    jobs = yaml.safe_load((ROOT / "docs" / "ci" / "yocto.gitlab.yml").read_text())["build"]["variables"]
    steps = yaml.safe_load((ROOT / "docs" / "ci" / "github.yml").read_text())["env"]
    caches = {name for name in taken if name.startswith("PYCONTAINER_") and re.search("HASHSERVE$|MIRROR", name)}
    assert len(caches) == 3
    assert set(jobs) == caches
    assert caches < set(steps) and set(steps) - {"PYCONTAINER_VERSION"} <= set(taken)
    assert set(steps) - {"PYCONTAINER_VERSION"} <= set(_PASSED_ON)


def test_the_cache_of_a_pipeline_goes_by_every_lock_that_pins_what_is_in_it(tmp_path: Path) -> None:
    job = yaml.safe_load((ROOT / "docs" / "ci" / "github.yml").read_text())["jobs"]["build"]
    pins = next(step for step in job["steps"] if step.get("id") == "pins")
    assert any("steps.pins.outputs.digest" in step.get("with", {}).get("key", "") for step in job["steps"])
    locks = tmp_path / "pycontainer" / "kas"
    locks.mkdir(parents=True)
    (tmp_path / "product").mkdir()

    def key() -> str:
        environment = os.environ | {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output")}
        subprocess.run(
            ["bash", "-eo", "pipefail", "-c", pins["run"]], cwd=tmp_path / "product", env=environment, check=True
        )
        return (tmp_path / "output").read_text().splitlines()[-1]

    (locks / "yocto-x.lock.yml").write_text("commit: 1")
    keys = [key(), key()]
    (locks / "yocto-x.lock.yml").write_text("commit: 2")
    keys.append(key())
    (tmp_path / "product" / "pycontainer.lock").write_text("{}")
    keys.append(key())
    assert keys[0] == keys[1] != keys[2] != keys[3]
    assert all(re.fullmatch("digest=[0-9a-f]{16}", each) for each in keys)


def test_the_job_of_the_base_is_put_over_the_one_for_all() -> None:
    job = yaml.safe_load((ROOT / "docs" / "ci" / "gitlab.yml").read_text())["build"]
    over = yaml.safe_load((ROOT / "docs" / "ci" / "yocto.gitlab.yml").read_text())
    assert over["include"] == [{"local": ".gitlab/product.yml"}]
    assert set(over["build"]) < set(job)
    assert not any("/opt" in line or line.startswith("apt-get") for line in over["build"]["before_script"])


def test_a_pipeline_that_breaks_the_schema_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "github.yml"
    wrong.write_text((ROOT / "docs" / "ci" / "github.yml").read_text().replace("runs-on:", "run-on:"))
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(wrong)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
