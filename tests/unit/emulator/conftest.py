# SPDX-License-Identifier: MIT
"""A stand-in for QEMU: it prints a script on the console pipe, answers QMP, and obeys the power button or not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.deploy import Emulator, Firmware
from orchestrator.emulator.qemu import Forward, MachineOptions

_FAKE = """#!{python}
import json, os, socket, sys, threading, time
out, behaviour, status, folder = {out!r}, {behaviour!r}, {status!r}, {folder!r}
open(os.path.join(folder, "argv"), "a").write(json.dumps(sys.argv) + "\\n")
open(os.path.join(folder, "pid"), "w").write(str(os.getpid()))
options = dict(part.split("=", 1) for word in sys.argv for part in word.split(",") if part.count("=") == 1)
if behaviour == "fail":
    sys.stderr.write(out)
    sys.exit(status)
if behaviour == "kvm fails" and "kvm" in sys.argv:
    sys.stderr.write("qemu: failed to set MSR\\n")
    sys.exit(134)
word = next(word for word in sys.argv if word.startswith("socket,id=monitor"))
monitor = socket.socket(fileno=int(word.split("fd=")[1]))
path = next(word for word in sys.argv if word.startswith("pipe,id=console")).split("path=")[1]
control = next(word for word in sys.argv if word.startswith("socket,id=control,path="))
listener = socket.socket(socket.AF_UNIX)
listener.bind(control.split("path=")[1].split(",")[0])
listener.listen(1)
def serve():
    while True:
        stream = listener.accept()[0].makefile("rwb", buffering=0)
        for line in stream:
            if line.strip():
                open(os.path.join(folder, "asked"), "ab").write(line)
                version = {{"ok": True, "version": "0.1", "protocol": 1, "product": "demo"}}
                stream.write(json.dumps(version).encode() + b"\\n")
threading.Thread(target=serve, daemon=True).start()
console_in = os.open(path + ".in", os.O_RDWR)
console_out = os.open(path + ".out", os.O_RDWR)
monitor.sendall(b'{{"QMP": {{"version": {{}}, "capabilities": []}}}}\\r\\n')
def speak():
    for piece in out.split("|"):
        os.write(console_out, piece.encode())
        time.sleep(0.02)
    if behaviour == "crashes":
        os.write(2, b"qemu: no more\\n")
    if behaviour in ("ends", "crashes"):
        os._exit(status)
    while behaviour == "echo":
        os.write(console_out, b"<" + os.read(console_in, 100).hex().encode() + b">")
stream = monitor.makefile("rb")
speaking = None
for line in stream:
    command = json.loads(line)["execute"]
    if speaking is None:
        # Not before it was greeted: a busy machine must not see it end before it was seen to start.
        speaking = threading.Timer(0.05, speak)
        speaking.daemon = True
        speaking.start()
    if command == "system_powerdown":
        monitor.sendall(b'{{"event": "POWERDOWN"}}\\r\\n')
    if command == "bad":
        monitor.sendall(b'{{"error": {{"class": "CommandNotFound", "desc": "no such command"}}}}\\r\\n')
        continue
    monitor.sendall(b'{{"return": {{}}}}\\r\\n')
    if command == "system_powerdown" and behaviour != "deaf":
        os.write(console_out, b"goodbye\\n")
        os._exit(0)
time.sleep(3600)
"""

Faker = Callable[..., MachineOptions]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faker:
    """Make a QEMU that prints `out` (pieces parted by |) and behaves; return options that run it."""

    def make(out: str = "", behaviour: str = "", status: int = 0, forwards: tuple[Forward, ...] = ()) -> MachineOptions:
        binaries = tmp_path / "bin"
        binaries.mkdir(exist_ok=True)
        program = binaries / "qemu-system-x86_64"
        program.write_text(
            _FAKE.format(python=sys.executable, out=out, behaviour=behaviour, status=status, folder=str(tmp_path))
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(binaries))
        for name in ("code.fd", "vars.fd", "disk.img"):
            (tmp_path / name).write_bytes(b"x")
        return MachineOptions(
            emulator=emulator(),
            firmware_code=tmp_path / "code.fd",
            firmware_vars=tmp_path / "vars.fd",
            image=tmp_path / "disk.img",
            forwards=forwards,
        )

    return make


def emulator() -> Emulator:
    return Emulator(
        binary="qemu-system-x86_64", machine="q35", cpu="max", memory_mi_b=256, smp=2, console="ttyS0",
        package="qemu-system-x86",
        firmware=[Firmware(name="edk2", kind="pflash", code="code.fd", variables="vars.fd")],
        devices=["virtio-rng-pci"], kvm=True,
    )  # fmt: skip
