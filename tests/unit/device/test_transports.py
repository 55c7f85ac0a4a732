# SPDX-License-Identifier: MIT
"""The three ways to a device, each tried with a real descriptor of its kind."""

from __future__ import annotations

import os
import pty
import socket
import sys
import termios
import threading
from pathlib import Path

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.device import Connection, Link, LinkError, parse_transport
from orchestrator.device.transports import open_unix, ssh_command
from orchestrator.errors import ConfigError
from tests.unit.device.fake import PS, Device


@pytest.mark.parametrize(
    "text",
    [
        "", "tcp:host:1", "unix:", "serial:", "ssh:", "ssh:-oProxyCommand=x", "ssh:a@-b", "ssh:a b", "ssh:h:0",
        "ssh:h:70000", "ssh:h;id", "ssh:@h", "serial:/dev/x,fast", "serial:/dev/x,", "serial:/dev/x,12345", "device",
    ],
)  # fmt: skip
def test_what_is_no_way_to_a_device_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_transport(text)
    assert caught.value.exit_code == 2


def test_ssh_gets_words_and_no_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ssh_command("root@box", 2222)
    assert words[0] == str(tmp_path / "ssh")
    assert words[-6:] == ["-p", "2222", "--", "root@box", "pycontainerctl", "relay"]
    assert "-T" in words
    assert "-p" not in ssh_command("box", None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="ssh is missing"):
        ssh_command("box", None)


RELAY = """#!{python}
import json, os, socket, sys, threading
open({seen!r}, "w").write(json.dumps(sys.argv[1:]))
end = socket.socket(socket.AF_UNIX)
end.connect({path!r})
def back():
    while data := end.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=back, daemon=True).start()
while data := os.read(0, 65536):
    end.sendall(data)
"""


def test_a_device_is_reached_through_ssh(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text(RELAY.format(python=sys.executable, seen=str(tmp_path / "seen"), path=str(device.path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    blob = os.urandom(300_000)
    with Link(parse_transport("ssh:root@[fe80::1]:22"), timeout=60) as link:
        assert link.ask("ps") == PS
        digest = sha256_digest(blob)
        assert link.connection().put(digest, len(blob), lambda offset: iter((blob[offset:],))) == len(blob)
    assert device.blobs[digest] == blob
    assert '"root@fe80::1", "pycontainerctl", "relay"' in (tmp_path / "seen").read_text()


def test_an_ssh_that_fails_is_a_lost_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nexit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with Link(parse_transport("ssh:box"), timeout=60) as link, pytest.raises(LinkError, match="ssh box is lost"):
        link.ask("ps")


def test_a_serial_line_is_raw_and_carries_everything(device: Device) -> None:
    ours, theirs = pty.openpty()
    path = os.ttyname(theirs)
    transport = parse_transport(f"serial:{path},9600")
    stream = transport.open()
    mode = termios.tcgetattr(theirs)
    assert mode[4] == mode[5] == termios.B9600
    assert mode[3] & (termios.ICANON | termios.ECHO | termios.ISIG) == 0
    assert mode[0] & (termios.IXON | termios.ICRNL) == 0
    with pytest.raises(LinkError, match="in use"):
        transport.open()
    bridge = Bridge(ours, device)
    connection = Connection(stream, timeout=60, settle=0.05)
    blob = bytes(range(256)) * 100
    assert connection.put(sha256_digest(blob), len(blob), lambda offset: iter((blob[offset:],))) == len(blob)
    assert device.blobs[sha256_digest(blob)] == blob
    connection.close()
    os.close(theirs)
    bridge.join()


class Bridge:
    """Joins the master of a pseudo-terminal to the device's socket."""

    def __init__(self, master: int, device: Device) -> None:
        self.end = socket.socket(socket.AF_UNIX)
        self.end.connect(str(device.path))
        self.master = master
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.there, self.back)]
        for thread in self.threads:
            thread.start()

    def there(self) -> None:
        try:
            while data := os.read(self.master, 4096):
                self.end.sendall(data)
        except OSError:
            pass
        self.end.shutdown(socket.SHUT_RDWR)

    def back(self) -> None:
        try:
            while data := self.end.recv(4096):
                os.write(self.master, data)
        except OSError:
            pass

    def join(self) -> None:
        for thread in self.threads:
            thread.join(20)
        self.end.close()
        os.close(self.master)


def test_what_is_no_serial_line_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(ConfigError, match=r"not a serial line|cannot open"):
            parse_transport(f"serial:{path}").open()


def test_a_socket_that_nobody_serves_is_a_lost_link(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="cannot connect"):
        parse_transport(f"unix:{tmp_path}/none").open()
    with pytest.raises(LinkError, match="cannot connect"):
        parse_transport("unix:" + "/x" * 200).open()


def test_a_device_to_which_somebody_speaks_and_others_wait_is_not_said_to_be_off(tmp_path: Path) -> None:
    place = tmp_path / "control"
    waiting = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(0)
        with pytest.raises(LinkError, match="cannot connect") as caught:
            for _ in range(8):
                waiting.append(open_unix(place))
        for stream in waiting:
            stream.close()
    assert "somebody else speaks with the device" in caught.value.why
