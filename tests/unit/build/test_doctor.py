# SPDX-License-Identifier: MIT
"""The doctor says what is missing and the exact commands that mend it."""

from __future__ import annotations

import subprocess

import pytest

from orchestrator.build import doctor
from orchestrator.build.doctor import Finding, commands, examine


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
        assert "en_US.UTF-8" in argv[-1]
        return subprocess.CompletedProcess(argv, 1)

    monkeypatch.setattr(doctor.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(doctor.subprocess, "run", no_locale)
    missing = {finding.name for finding in examine(["build", "run"]) if not finding.ok}
    assert {"wget", "git", "qemu-system-x86_64", "locale en_US.UTF-8"} <= missing


def test_the_locale_of_this_machine_is_found_as_the_shell_finds_it():
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout.lower()
    found = next(finding for finding in examine(["build"]) if finding.name == "locale en_US.UTF-8")
    assert found.ok == ("en_us.utf8" in listed)
