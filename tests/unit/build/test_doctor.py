# SPDX-License-Identifier: MIT
"""The doctor says what is missing and the exact commands that mend it."""

from __future__ import annotations

import shutil
import subprocess
from argparse import Namespace
from pathlib import Path

import pytest

from orchestrator.build import doctor, openembedded
from orchestrator.build.doctor import Finding, commands, examine
from orchestrator.cli.commands import doctor as command


def test_nothing_missing_needs_no_command():
    assert commands([Finding("wget", True, "", "wget")]) == []


def test_missing_packages_come_in_one_command_with_the_locale_after_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    todo = commands(
        [
            Finding("wget", False, "", "wget"),
            Finding("git", False, "", "git"),
            Finding("locale", False, "", "locales", "localedef -i en_US -f UTF-8 en_US.UTF-8"),
        ]
    )
    assert todo == [
        ["sudo", "apt-get", "update"],
        ["sudo", "apt-get", "install", "-y", "--no-install-recommends", "git", "locales", "wget"],
        ["sudo", "localedef", "-i", "en_US", "-f", "UTF-8", "en_US.UTF-8"],
    ]


def test_a_missing_program_and_locale_are_seen(monkeypatch: pytest.MonkeyPatch):
    def no_locale(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        assert argv[0] == "unshare" or "en_US.UTF-8" in argv[-1]
        return subprocess.CompletedProcess(argv, 1)

    monkeypatch.setattr(doctor.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(doctor.subprocess, "run", no_locale)
    missing = {finding.name for finding in examine(["build", "run"]) if not finding.ok}
    assert {"wget", "git", "qemu-system-x86_64", "locale en_US.UTF-8"} <= missing


def test_the_locale_of_this_machine_is_found_as_the_shell_finds_it():
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout.lower()
    found = next(finding for finding in examine(["build"]) if finding.name == "locale en_US.UTF-8")
    assert found.ok == ("en_us.utf8" in listed)


def test_a_user_without_a_name_is_called_by_number(monkeypatch: pytest.MonkeyPatch):
    def nobody(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr("os.geteuid", lambda: 4242)
    monkeypatch.setattr("os.getuid", lambda: 4242)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    found = next(finding for finding in examine(["build"]) if finding.name.startswith("file ownership"))
    assert not found.ok
    assert found.command.endswith(" 4242")


@pytest.mark.parametrize(("switch", "mended"), [("1\n", True), ("0\n", False), (None, False)])
def test_namespaces_that_apparmor_restricts_are_allowed_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str | None, mended: bool
):
    def refused(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(argv, 1)

    if switch is not None:
        (tmp_path / "restrict").write_text(switch)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(doctor, "_RESTRICTED", tmp_path / "restrict")
    monkeypatch.setattr(doctor.subprocess, "run", refused)
    found = doctor._namespaces()
    assert not found.ok
    assert commands([found]) == ([["sudo", "sysctl", "-w", "kernel.restrict=0"]] if mended else [])


def test_namespaces_are_tried_and_root_needs_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert doctor._namespaces().ok
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    made = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], check=False).returncode == 0
    assert doctor._namespaces().ok == made


def test_room_is_looked_for_where_the_build_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def usage(place: Path) -> object:
        asked.append(place)
        return shutil._ntuple_diskusage(10**10, 10**10, 10**9)  # type: ignore[attr-defined]

    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    monkeypatch.setenv("DL_DIR", str(tmp_path / "downloads"))
    build = tmp_path / "product" / "build" / "bitbake"
    (first,) = doctor._disk(build)
    assert (first.ok, first.passing) == (False, True)
    assert "1.0 GB are free" in first.detail
    assert "a build wants 1.9 GB" in first.detail
    assert asked == [tmp_path]
    (build / "tmp").mkdir(parents=True)
    (tmp_path / "downloads").mkdir()
    assert all(finding.ok for finding in doctor._disk(build))


@pytest.mark.parametrize(
    ("install", "quiet", "code", "silent"), [(True, True, 0, True), (True, False, 0, False), (False, True, 75, False)]
)
def test_little_room_is_no_missing_program(
    monkeypatch: pytest.MonkeyPatch, install: bool, quiet: bool, code: int, silent: bool
):
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: [Finding("free disk", False, "little", passing=True)])
    result = command(Namespace(purposes="build", install=install, quiet=quiet, base="debian"))
    assert result.exit_code == code
    assert (result.text == "") == silent
    assert "MISSING" not in result.text


def test_a_build_from_source_wants_openembeddeds_programs_and_nothing_of_debians(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(doctor.shutil, "which", lambda name, **_: None if name in ("chrpath", "rpcgen") else "/bin/x")
    found = examine(["build"], tmp_path / "build", None, "yocto")
    names = {finding.name for finding in found}
    assert {"chrpath", "diffstat", "locale en_US.UTF-8", "free disk"} <= names
    assert not names & {"gpgv", "Debian archive keyring", "bitbake-setup 2.19.0", "user namespaces"}
    missing = [finding for finding in found if not finding.ok and not finding.passing and "locale" not in finding.name]
    assert commands(missing)[-1][-2:] == ["chrpath", "rpcsvc-proto"]


def test_root_is_told_that_nothing_is_built_from_source_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    refused = [finding for finding in examine(["build"], tmp_path, None, "yocto") if "root" in finding.name]
    assert [finding.ok for finding in refused] == [False]
    assert commands(refused) == []


def test_a_first_build_from_source_wants_more_room_than_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(openembedded.shutil, "disk_usage", lambda _: usage._replace(free=5 * 10**9))
    assert openembedded.room(tmp_path / "product" / "build") == (
        False, f"5.0 GB are free in {tmp_path}, a build wants 20 GB at the least",
    )  # fmt: skip
    (tmp_path / "tmp").mkdir()
    assert openembedded.room(tmp_path)[0]
