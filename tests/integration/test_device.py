# SPDX-License-Identifier: MIT
"""The demo's image boots under UEFI and GRUB in QEMU, serves its page from inside the container, and powers off."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from orchestrator.build.imaging import tools_of
from orchestrator.deploy import Deploy
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import Forward, MachineOptions, options_for
from orchestrator.image.writer import layout
from orchestrator.run import Tools, run
from tests.integration.conftest import Product, pycontainer

READY = r"ready: demo 1\.0\.0 \([0-9a-f]{12}\) rootfs web running in [0-9.]+ s"


def options(product: Product, image: Path | None = None, **more: object) -> MachineOptions:
    return options_for(
        Deploy(product.deploy),
        image or product.image,
        forwards=(Forward(0, 8080),),
        **more,  # type: ignore[arg-type]
    )


def page(machine: Machine, timeout: float = 20.0) -> str:
    """The demo's page, asked for until it comes."""
    url = f"http://127.0.0.1:{machine.host_port(8080)}/"
    deadline = time.monotonic() + timeout
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def storage_file(image: Path, tools: Tools, path: str, scratch: Path) -> bytes:
    """A file of the storage partition of an image, read without mounting it."""
    _, partitions = layout("demo", "qemu-amd64", 512 * 2**20)
    storage = scratch / "storage.ext4"
    with image.open("rb") as source, storage.open("wb") as target:
        source.seek(partitions[1].start)
        for _ in range(partitions[1].size // 2**20):
            block = source.read(2**20)
            if block.strip(b"\0"):
                target.write(block)
            else:
                target.seek(2**20, 1)
        target.truncate(partitions[1].size)
    return run([*tools.argv("debugfs"), "-R", f"cat {path}", storage])


def test_the_page_comes_from_inside_the_container(demo: Product, tmp_path: Path):
    with Machine(options(demo), log=tmp_path / "console.log") as machine:
        machine.wait_for(READY, 90)
        text = page(machine)
    assert "It runs." in text
    assert re.search(r"<dt>container</dt><dd>web</dd>", text), text
    pid = re.search(r"<dt>process</dt><dd>(\d+)</dd>", text)
    assert pid is not None
    assert int(pid[1]) < 20, "a process id of its own namespace"


def test_each_step_is_one_line_on_the_console(demo: Product):
    with Machine(options(demo)) as machine:
        machine.wait_for(READY, 90)
        text = machine.console.text
    lines = [line for line in text.splitlines() if line.startswith("pycontainer[")]
    steps = [match[1] for line in lines if (match := re.match(r"pycontainer\[ *\d+\.\d{3}\] ([a-z]+)", line))]
    assert len(steps) == len(lines)
    order = ["modules", "storage", "verify", "layers", "container", "ready"]
    positions = [steps.index(step) for step in order]
    assert positions == sorted(positions), lines
    assert "signed by 1 of 1 keys" in text


def test_the_power_button_shuts_down_cleanly_and_the_second_boot_hashes_nothing(sibling: Product, tmp_path: Path):
    with Machine(options(sibling, persist=True, memory_mib=None)) as machine:
        first = machine.wait_for(READY, 90)
        assert first
        assert re.search(r"[1-9]\d* sealed now", machine.console.text)
        page(machine)
        assert machine.powerdown(30), machine.console.text[-2000:]
        text = machine.console.text
    assert re.search(r"container web: stopped|web.*(stopped|exited|ended)", text), text[-2000:]
    with Machine(options(sibling, persist=True)) as machine:
        machine.wait_for(READY, 90)
        text = machine.console.text
        assert re.search(r"storage: /dev/\w+ clean", text), "it was unmounted cleanly"
        assert not re.search(r"[1-9]\d* sealed now", text)
        page(machine)
        assert machine.powerdown(30)
    tools = tools_of(Deploy(sibling.deploy))
    log = storage_file(sibling.image, tools, "/logs/web.log", tmp_path).decode()
    assert "GET / HTTP/1.1" in log


def test_a_flipped_bit_in_a_layer_is_refused(sibling: Product, tmp_path: Path):
    image = tmp_path / "flipped.img"
    shutil.copyfile(sibling.image, image)
    summary = sibling.run("show", "--json").json
    web = next(layer for layer in summary["layers"] if layer["name"] == "web")
    blob = sibling.folder / ".pycontainer" / "store" / "blobs" / "sha256" / web["blobs"]["rootfs"].partition(":")[2]
    piece = blob.read_bytes()[8192:8256]
    with image.open("r+b") as stream:
        offset = 0
        found = -1
        while found < 0 and (data := stream.read(2**20)):
            if (inside := data.find(piece)) >= 0:
                found = offset + inside
            offset += len(data)
        assert found >= 0
        stream.seek(found)
        stream.write(bytes([piece[0] ^ 1]))
    with Machine(options(sibling, image, persist=True)) as machine:
        machine.wait_for(r"FAILED verify: .*", 90)
        assert "ready:" not in machine.console.text


def test_an_image_whose_host_trusts_another_key_is_refused(sibling: Product, tmp_path: Path):
    """The storage of a product signed by one key, under the initramfs of the same product with another key."""
    ours, theirs = tmp_path / "a.img", tmp_path / "b.img"
    shutil.copyfile(sibling.image, ours)
    first = sibling.run("show", "--json").json
    sibling.build(PYCONTAINER_KEYS=str(tmp_path / "keys"))
    shutil.copyfile(sibling.image, theirs)
    second = sibling.run("show", "--json").json
    blobs = sibling.folder / ".pycontainer" / "store" / "blobs" / "sha256"
    old, new = (
        (
            blobs / next(layer for layer in one["layers"] if layer["kind"] == "host")["blobs"]["initramfs"][7:]
        ).read_bytes()
        for one in (first, second)
    )
    assert len(old) == len(new)
    differing = [position for position in range(len(old)) if old[position] != new[position]]
    image = bytearray(ours.read_bytes())
    at = image.find(old[-4096:])
    assert at >= 0
    image[at : at + 4096] = new[-4096:]
    assert min(differing) >= len(old) - 4096
    ours.write_bytes(image)
    with Machine(options(sibling, ours)) as machine:
        machine.wait_for(r"FAILED verify: .*sign.*", 90)


def test_192_megabytes_of_memory_are_enough_under_uefi(demo: Product):
    """Less is refused by the kernel's own EFI stub, which unpacks 59 MB in one piece beside firmware and GRUB."""
    with Machine(options(demo, memory_mib=192)) as machine:
        machine.wait_for(READY, 120)
        assert "It runs." in page(machine)


def test_the_running_system_needs_no_more_than_128_megabytes(sibling: Product):
    """The boot loader may use what it wants; kernel, host and containers get 128 MB."""
    path = sibling.folder / "pycontainer.yaml"
    path.write_text(path.read_text().replace("layers:", "kernel: {args: [mem=128M]}\nlayers:", 1))
    sibling.build()
    with Machine(options(sibling)) as machine:
        machine.wait_for(READY, 120)
        assert "It runs." in page(machine)
        assert "Out of memory" not in machine.console.text


def test_run_expects_a_line_for_ci_and_fails_with_the_console_when_it_does_not_come(demo: Product):
    done = demo.run("run", "--expect", "ready:", "--timeout", "90", "--json")
    assert done.code == 0, done.err
    assert re.search(READY, done.json["line"])
    done = demo.run("run", "--expect", "this never comes", "--timeout", "8")
    assert done.code == 5
    assert "this never comes" in done.err
    assert "Traceback" not in done.err


def test_a_taken_port_is_named(demo: Product):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = demo.run("run", "--port", f"{port}:8080", "--expect", "ready:")
    assert done.code == 2
    assert str(port) in done.err


@pytest.mark.slow
def test_the_image_is_written_to_a_disk_by_its_block_map_and_boots_from_there(demo: Product, tmp_path: Path):
    disk = tmp_path / "disk.img"
    with disk.open("wb") as stream:
        stream.truncate(2 * 2**30)
    loop = subprocess.run(
        ["losetup", "--find", "--show", disk], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        refused = pycontainer("flash", demo.image, loop, "--yes")
        assert refused.code == 2
        assert "removable" in refused.err
        done = pycontainer("flash", demo.image, loop, "--yes", "--force-fixed")
        assert done.code == 0, done.err
    finally:
        subprocess.run(["losetup", "-d", loop], check=True)
    with Machine(options(demo, disk)) as machine:
        machine.wait_for(READY, 90)
        assert "It runs." in page(machine)
