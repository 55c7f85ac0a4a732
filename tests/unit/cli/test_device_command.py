# SPDX-License-Identifier: MIT
"""`pycontainer device` as a user runs it: every verb against a device that answers, in words and as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bundle import create
from orchestrator.canonical import write_atomically
from orchestrator.cli.main import main
from tests.unit.bundle.conftest import Shop
from tests.unit.device.fake import PS, STATUS, Device
from tests.unit.device.test_update import NEW, outcome, trying

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(device: Device, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command against the device; returns exit code, standard output, standard error."""
    monkeypatch.setenv("PYCONTAINER_DEVICE", f"unix:{device.path}")
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["device", *words])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    yield call
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("status", ["demo 1.0.0", "aaaaaaaaaaaa, confirmed", "60 min", "400.0 MB free", "watchdog", "fed"]),
        ("ps", ["rootfs", "running", "45 s", "12.0 MB", "restarting", "unhealthy", "exit status 1"]),
        ("revisions", ["aaaaaaaaaaaa", "running, confirmed", "previous, not complete", "50.0 MB"]),
        ("volumes", ["web", "data", "permanent", "5.0 kB"]),
        ("identity", ["c" * 64]),
        ("gc", ["1 revisions and 3 blobs removed", "7.0 MB freed"]),
        ("version", ["Linux 6.12", "qemu-amd64"]),
        ("confirm", ["is confirmed"]),
        ("rollback", ["goes back"]),
        ("reboot", ["restarts"]),
        ("poweroff", ["powers off"]),
    ],
)
def test_a_verb_without_words(run: Run, device: Device, verb: str, words: list[str]) -> None:
    code, out, err = run(verb)
    assert (code, err) == (0, "")
    for word in words:
        assert word in out, out
    assert "\x1b" not in out
    assert [request["verb"] for request in device.asked if request["verb"] == verb]
    code, out, _ = run(verb, "--json")
    assert code == 0
    assert isinstance(json.loads(out), dict)


def test_json_is_what_the_device_said(run: Run) -> None:
    assert json.loads(run("status", "--json")[1]) == STATUS
    assert json.loads(run("--json", "ps")[1]) == PS


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_a_verb_for_a_container(run: Run, device: Device, verb: str) -> None:
    code, out, _ = run(verb, "web")
    assert code == 0
    assert out.startswith("web is ")
    assert device.asked[-1] == {"verb": verb, "container": "web"}


def test_a_trial_is_shown_with_what_it_waits_for(run: Run, device: Device) -> None:
    device.answers["status"] = trying("boot", "web\x1b[0m is starting", outcome=outcome("rolled back", "no page"))
    out = run("status")[1]
    for words in ("bbbbbbbbbbbb in place of aaaaaaaaaaaa, boot", "web�[0m is starting", "rolled back, no page"):
        assert words in out


def test_logs_are_printed_and_counted(run: Run, device: Device) -> None:
    assert run("logs", "web", "-n", "2")[:2] == (0, "line 0\nline 1\n")
    assert json.loads(run("logs", "web", "-n", "1", "--json")[1]) == {"lines": ["line 0"]}
    assert run("logs", "web", "-f", "--json")[0] == 2


def test_what_a_container_did_is_a_line_each(run: Run, device: Device) -> None:
    code, out, _ = run("observe", "web")
    head = "2026-01-01T00:00:00.000Z  web  "
    by = "  by sh\ufffd[2J (process 7, user 33)"
    assert (code, out.splitlines()) == (
        0,
        [
            f"{head}exec  /bin/sh{by}",
            f"{head}write  /bin/x{by}, not declared, refused",
            f"{head}connect  [2001:db8::1]:443/tcp{by}, not declared",
            f"{head}lost  3 that are not told of",
        ],
    )
    assert device.asked[-1] == {"verb": "observe", "container": "web", "lines": 100, "follow": False}
    events = json.loads(run("observe", "--json", "-n", "5")[1])["events"]
    assert [each["event"] for each in events] == ["exec", "write", "connect", "lost"]
    assert "container" not in device.asked[-1] and device.asked[-1]["lines"] == 5


def test_exec_gives_output_and_status(run: Run, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("exec", "web", "fail", "--json", "-x") == (3, "out �\n", "err\n")
    assert device.asked[-1]["command"] == ["fail", "--json", "-x"]
    assert run("exec", "web", "--", "ls")[0] == 0
    assert device.asked[-1]["command"] == ["ls"]
    code, out, _ = run("exec", "--json", "web", "fail")
    assert (code, json.loads(out)) == (3, {"status": 3, "out": "out �\n", "err": "err\n"})
    assert run("exec", "web")[0] == 2
    reading, writing = os.pipe()
    os.write(writing, b"hello\n")
    os.close(writing)
    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert run("exec", "-i", "web", "cat")[:2] == (0, "hello\n")


def test_a_refusal_has_exit_code_5_and_the_devices_reason(run: Run, device: Device) -> None:
    device.answers["stop"] = {"error": "there is no container x\x1b[31m"}
    code, out, err = run("stop", "x")
    assert (code, out) == (5, "")
    assert "there is no container x�[31m" in err
    assert json.loads(run("stop", "x", "--json")[1])["error"]["exitCode"] == 5


def test_a_bundle_is_installed_from_here(run: Run, device: Device, shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first, shop.second], shop.keys, tmp_path / "b.tar")
    assert run("install", str(tmp_path / "b.tar"))[0] == 2
    code, out, err = run("install", str(tmp_path / "b.tar"), "--revision", shop.second.short)
    assert code == 0, err
    assert f"revision {shop.second.short} (1.0.1) is installed: 9 blobs were sent" in out
    assert "9 of 9 blobs to send" in err
    assert "send:" in err
    code, out, _ = run("install", str(tmp_path / "b.tar"), "--revision", shop.second.short, "--json")
    assert json.loads(out) == {"revision": shop.second.id, "blobs": 0, "sent": 0}


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--path", "/media/b.tar"], {"path": "/media/b.tar"}),
        (["--label", "STICK", "--revision", "1234"], {"label": "STICK", "revision": "1234"}),
        (["--disks"], {}),
    ],
)
def test_a_bundle_on_the_device_is_installed_there(
    run: Run,
    device: Device,
    words: list[str],
    asked: dict[str, str],
) -> None:
    code, out, err = run("install", *words)
    assert code == 0
    assert "revision dddddddddddd is installed: 2 blobs, 100 B copied" in out
    assert "device: copy" in err
    assert device.asked[-1] == {"verb": "install", **asked}


def test_install_needs_one_source(run: Run, tmp_path: Path) -> None:
    assert run("install")[0] == 2
    assert run("install", "--disks", "--label", "X")[0] == 2


def test_an_update_says_what_happens(run: Run, device: Device, shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b.tar")
    device.answers["status"] = lambda request: (
        {**STATUS, "revision": shop.second.hex} if "try" in device.verbs() else STATUS
    )
    code, out, err = run("update", str(tmp_path / "b.tar"))
    assert code == 0
    assert out == f"revision {shop.second.short} is confirmed\n"
    assert "confirmed after" in err
    result = json.loads(run("update", str(tmp_path / "b.tar"), "--json")[1])
    assert (result["revision"], result["result"]) == (shop.second.id, "confirmed")


def test_a_rolled_back_update_ends_with_5(run: Run, device: Device, shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b.tar")
    ended = {"revision": shop.second.id, "result": "rolled back", "reason": "web ended 4 times"}
    device.answers["status"] = lambda request: STATUS | ({"outcome": ended} if "try" in device.verbs() else {})
    code, out, err = run("update", str(tmp_path / "b.tar"))
    assert (code, out) == (5, "")
    assert f"revision {shop.second.short} was rolled back" in err
    assert "why:   web ended 4 times" in err


def test_try_hands_the_name_on_or_waits(run: Run, device: Device) -> None:
    assert run("try", "bbbb")[:2] == (0, "the trial of bbbb begins\n")
    assert device.asked[-1] == {"verb": "try", "revision": "bbbb"}
    device.answers["status"] = {**STATUS, "revision": NEW}
    assert run("try", "bbbb", "--wait")[0] == 0
    assert run("try", "ffff", "--wait")[0] == 2


def test_the_device_is_named_by_option_before_environment(run: Run, device: Device, tmp_path: Path) -> None:
    for words in (["--to", f"unix:{tmp_path}/none", "ps"], ["ps", "--to", f"unix:{tmp_path}/none"]):
        code, _, err = run(*words)
        assert code == 75
        assert "cannot connect" in err
    assert device.asked == []


PRODUCT = "product: demo\nversion: 1.0.0\nmachine: qemu-amd64\nlayers: {web: {kind: app, from: {tar: x.tar}}}\n"


def test_without_a_name_it_is_the_products_running_machine(
    run: Run,
    device: Device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYCONTAINER_DEVICE")
    (tmp_path / "pycontainer.yaml").write_text(PRODUCT)
    code, _, err = run("ps", "--product", str(tmp_path))
    assert code == 2
    assert "no virtual machine of this product runs" in err
    note = tmp_path / "build" / "run-qemu-amd64.json"
    write_atomically(note, json.dumps({"control": str(device.path), "pid": os.getpid()}).encode())
    for control in ("", "control: {port: ttyS1, reason: a line for us}\n"):
        (tmp_path / "pycontainer.yaml").write_text(PRODUCT + control)
        code, _, err = run("ps", "--product", str(tmp_path))
        assert (code, "no control port org.pycontainer.control" in err) == (2, True), err
    control = "control: {port: org.pycontainer.control, reason: a line for us}\n"
    (tmp_path / "pycontainer.yaml").write_text(PRODUCT + control)
    assert run("ps", "--product", str(tmp_path))[0] == 0
    monkeypatch.chdir(tmp_path)
    assert run("ps")[0] == 0
    # Of a product for several machines it is the one that runs, and not the first.
    several = PRODUCT.replace("machine: qemu-amd64", "machines: [qemu-arm64, qemu-amd64]")
    (tmp_path / "pycontainer.yaml").write_text(several + control)
    assert run("ps")[0] == 0
    for spoilt in (b"", b"[]", b'{"control":"x"}', b'{"control":"/x","pid":999999999}'):
        note.write_bytes(spoilt)
        assert run("ps")[0] == 2
    monkeypatch.chdir("/")
    code, _, err = run("ps")
    assert code == 2
    assert "--to" in err
