# SPDX-License-Identifier: MIT
"""The device program as process 1 in QEMU: a good life, and every way in which it must refuse."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.device.rig import Container, Inputs, Revision, boot, read_back, stat_back

SERVICE = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.2; done"


Make = Callable[..., Revision]


@pytest.fixture
def make(inputs: Inputs, tmp_path: Path) -> Make:
    def build(*containers: Container, build: bool = True) -> Revision:
        revision = Revision(tmp_path, inputs, list(containers) or [Container("web", SERVICE)])
        if build:
            revision.build()
        return revision

    return build


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def fill(storage: Path, filler: Path) -> None:
    """Leave no free block in an ext4 image."""
    header = subprocess.run(["dumpe2fs", "-h", storage], check=True, capture_output=True, text=True).stdout
    found = re.search(r"^Free blocks: +(\d+)$", header, re.MULTILINE)
    assert found
    filler.write_bytes(b"x" * 4096 * int(found[1]))
    subprocess.run(["debugfs", "-w", "-R", f"write {filler} filler", storage], check=True, capture_output=True)


def refused(
    revision: Revision, storage: Path | None, why: str, *, facts: bytes | None = None, id: str | None = None
) -> str:
    """Boot, and see that nothing starts, that the reason is said, and that the machine turns itself off."""
    with boot(revision, storage, facts=facts, id=id) as machine:
        text = machine.wait(90)
    assert re.search(r"^pycontainer\[ *\d+\.\d{3}\] FAILED " + why, text, re.MULTILINE), text
    assert "running, process" not in text
    assert "power off: now" in text
    return text


def test_containers_start_in_order_and_the_power_button_stops_them_in_reverse(make: Make) -> None:
    data = {"name": "data", "kind": "permanent", "destination": "/data", "mode": "0750", "uid": 0, "gid": 8}
    counting = "echo line >> /data/count; " + SERVICE
    revision = make(
        Container("base", SERVICE),
        Container("web", counting, group=1, after=["base"], volumes=[data]),
        Container("late", SERVICE, group=1, after=["web"]),
    )
    storage = revision.storage_image()
    for first in (True, False):
        with boot(revision, storage) as machine:
            machine.expect("ready: demo 1.0.0")
            if first:
                machine.expect("the other 1 blobs are whole, 1 sealed now")
            machine.press_power_button()
            text = machine.wait()
        started = [text.index(f"container {name}: running") for name in ("base", "web", "late")]
        stopped = [text.index(f"container {name}: stopped, exited with status 0") for name in ("late", "web", "base")]
        assert started == sorted(started) and stopped == sorted(stopped), text
        assert f"ready: demo 1.0.0 ({revision.id[:12]}) base web late running in" in text
        assert ", 0 sealed now" in text or first, text
        assert "storage: unmounted" in text and "power off: now" in text and "FAILED" not in text
    assert "/dev/vda clean, mounted" in text
    assert read_back(storage, "/volumes/web/data/count") == "line\nline\n"
    assert read_back(storage, "/logs/web.log") == "up\nbye\nup\nbye\n"
    assert re.search(r"Mode:  0750", stat_back(storage, "/volumes/web/data"))
    assert re.search(r"User: +0 +Group: +8", stat_back(storage, "/volumes/web/data"))


def test_a_container_that_dies_is_restarted_with_growing_delays_until_its_retries_are_used_up(make: Make) -> None:
    limits = {"policy": "on-failure", "maxRetries": 3, "initialDelayMs": 100, "maxDelayMs": 200}
    revision = make(
        Container("web", SERVICE),
        Container("sick", "echo $0 fails; exit 7", restart=limits),
        Container("once", "exit 0", restart={"policy": "no"}),
        Container("greedy", "dd if=/dev/zero of=/tmp/x bs=1M count=64", memory=8 << 20, restart={"policy": "no"}),
        Container("broken", "exit 0", program="/bin/nothing", restart={"policy": "no"}),
    )
    with boot(revision, revision.storage_image()) as machine:
        machine.expect("given up after 3 restarts")
        machine.expect("container greedy: ")
        machine.expect("container broken: ")
        machine.press_power_button()
        text = machine.wait()
    delays = re.findall(r"container sick: exited with status 7 after .* restart (\d) in (\d+) ms", text)
    assert delays == [("1", "100"), ("2", "200"), ("3", "200")], text
    assert "container once: exited with status 0, done" in text
    assert re.search(r"container greedy: .*out of memory", text), text
    assert re.search(r"container broken: crun failed: .*/bin/nothing.*given up after 0 restarts", text), text
    assert "ready:" not in text


def test_no_end_is_lost_when_containers_end_before_their_runtime_does(make: Make) -> None:
    limits = {"policy": "on-failure", "maxRetries": 8, "initialDelayMs": 0, "maxDelayMs": 0}
    revision = make(*(Container(f"brief{number}", "exit 7", restart=limits) for number in range(3)))
    with boot(revision, revision.storage_image()) as machine:
        text = machine.expect("given up after 8 restarts", timeout=120, count=3)
    assert text.count(": running, process") == text.count(": exited with status 7") == 27


def test_a_container_that_ignores_its_stop_signal_is_killed_when_its_time_is_up(make: Make) -> None:
    deaf = Container("deaf", "trap '' TERM; while :; do sleep 1; done", stop={"timeoutMs": 500})
    revision = make(deaf)
    with boot(revision, revision.storage_image()) as machine:
        machine.expect("ready:")
        machine.press_power_button()
        text = machine.wait()
    assert "container deaf: stopped, killed by signal 9 after its time was up" in text
    assert "storage: unmounted" in text


def test_a_device_that_is_plugged_in_later_gets_its_driver(make: Make) -> None:
    revision = make()
    with boot(revision, revision.storage_image()) as machine:
        machine.expect("ready:")
        machine.expect("the other 1 blobs")
        machine.command("device_add", driver="virtio-net-pci", id="late", bus="socket9")
        machine.expect("for new devices")


def test_ctrl_alt_del_restarts_the_machine_cleanly(make: Make) -> None:
    revision = make()
    with boot(revision, revision.storage_image()) as machine:
        machine.expect("ready:")
        machine.expect("the other 1 blobs")
        keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
        machine.command("send-key", keys=keys)
        text = machine.wait()
    assert "restart: ctrl-alt-del" in text and "storage: unmounted" in text and "restart: now" in text


def test_after_a_power_cut_the_file_system_is_repaired_and_all_starts_again(make: Make) -> None:
    data = {"name": "data", "kind": "permanent", "destination": "/data", "mode": "0755", "uid": 0, "gid": 0}
    busy = "while :; do echo x >> /data/busy; done"
    revision = make(Container("web", busy, volumes=[data]))
    storage = revision.storage_image()
    for pause in (0.5, 1.5):
        with boot(revision, storage) as machine:
            machine.expect("ready:")
            machine.linger(pause)
            machine.cut_power()
    with boot(revision, storage) as machine:
        text = machine.expect("ready:")
        assert re.search(r"storage: /dev/vda (clean|repaired), mounted", text), text
        assert "FAILED" not in text and "DAMAGED" not in text


def test_after_a_fatal_error_the_machine_restarts_by_itself(make: Make) -> None:
    revision = make()
    with boot(revision, revision.storage_image(), id="7" * 64, panic="restart") as machine:
        text = machine.wait(90)
    assert text.index("FAILED verify") < text.index("storage: unmounted") < text.index("restart in 10 s")
    assert "restart: now" in text


def test_logs_are_limited_and_rotated(make: Make) -> None:
    noisy = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo all; " + SERVICE
    revision = make(Container("noisy", noisy, logs={"maxBytes": 4096, "files": 3}))
    storage = revision.storage_image()
    with boot(revision, storage) as machine:
        machine.expect("ready:")
        machine.expect("the other 1 blobs")
        machine.press_power_button()
        machine.wait()
    parts = [read_back(storage, f"/logs/noisy.log{suffix}") for suffix in (".2", ".1", "")]
    assert all(0 < len(part) <= 4096 for part in parts)
    assert all(part.endswith("\n") for part in parts)
    assert "line 2999\nall\nup\nbye\n" in "".join(parts)
    assert read_back(storage, "/logs/noisy.log.3") == ""


def test_without_fs_verity_every_blob_is_hashed_and_the_console_says_so(make: Make) -> None:
    revision = make()
    with boot(revision, revision.storage_image(verity=False)) as machine:
        text = machine.expect("ready:")
        assert ", 3 hashed in full: no fs-verity here" in text
    flip(revision.find("web", "rootfs"))
    refused(revision, revision.storage_image(verity=False), "verify: rootfs of layer web .*digest differs")


def test_a_flipped_bit_in_an_image_is_refused(make: Make) -> None:
    revision = make()
    flip(revision.find("web", "rootfs"))
    text = refused(revision, revision.storage_image(), "verify: rootfs of layer web .*fs-verity digest differs")
    assert "storage: unmounted" in text


def test_a_flipped_bit_in_the_kernel_is_reported_while_the_containers_run(make: Make) -> None:
    revision = make()
    flip(revision.find("bsp", "kernel"))
    with boot(revision, revision.storage_image()) as machine:
        machine.expect("ready:")
        machine.expect("verify: DAMAGED: kernel of layer bsp")


def test_a_bit_that_flips_after_sealing_gives_an_error_and_never_wrong_content(make: Make) -> None:
    revision = make()
    storage = revision.storage_image()
    with boot(revision, storage) as machine:
        machine.expect("the other 1 blobs")
        machine.press_power_button()
        machine.wait()
    config = revision.find("web", "run-config").read_bytes()
    disk = storage.read_bytes()
    assert disk.count(config) == 1
    place = disk.index(config) + config.index(b"echo up")
    with storage.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"echo UP")
    refused(revision, storage, "layers: web: run-config of layer web .*Input/output error")


def test_a_volume_is_not_reached_through_a_link_to_the_hosts_own_files(make: Make) -> None:
    state = {"name": "state", "kind": "permanent", "destination": "/data", "mode": "0755", "uid": 0, "gid": 0}
    revision = make(Container("web", SERVICE, volumes=[state]))
    (revision.tree / "volumes/web").symlink_to("/storage")
    text = refused(
        revision, revision.storage_image(), "layers: web: volume state: /storage/volumes/web: Too many levels"
    )
    assert "storage: unmounted" in text


def test_a_full_disk_keeps_nothing_from_running_and_is_said(make: Make) -> None:
    talking = Container("web", "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done; " + SERVICE)
    revision = make(talking)
    storage = revision.storage_image()
    fill(storage, revision.folder / "filler")
    with boot(revision, storage) as machine:
        text = machine.expect("ready:")
        assert re.search(r"verify: .* 0 sealed now, 3 hashed in full: storage is full or read-only", text), text
        machine.expect("log of web: /storage/logs/web.log: No space left on device")
        machine.expect("verify: the other 1 blobs are whole")
        machine.press_power_button()
        text = machine.wait()
    assert "DAMAGED" not in text and "storage: unmounted" in text


def test_a_signature_by_another_key_is_refused(make: Make) -> None:
    revision = make()
    stranger = [Ed25519PrivateKey.generate()]
    refused(revision, revision.storage_image(), "verify: .*0 valid signatures", facts=revision.facts(stranger))


def test_one_key_signing_twice_does_not_make_two(make: Make) -> None:
    revision = make(build=False)
    revision.keys = revision.keys * 2
    revision.build()
    known = [revision.keys[0], Ed25519PrivateKey.generate()]
    revision.threshold = 2
    refused(revision, revision.storage_image(), "verify: .*1 valid signatures", facts=revision.facts(known))


def test_a_changed_config_is_refused(make: Make) -> None:
    revision = make()
    path = (revision.tree / "revisions" / revision.id / "config").resolve()
    path.write_bytes(path.read_bytes().replace(b'"signal":15', b'"signal":16'))
    refused(revision, revision.storage_image(), "verify: .*config: the content does not have its digest")


def test_a_revision_that_is_not_there_is_refused_by_name(make: Make) -> None:
    revision = make()
    refused(revision, revision.storage_image(), "verify: revision 777777777777: .*No such file", id="7" * 64)


def test_a_revision_for_another_machine_is_refused(make: Make) -> None:
    revision = make(build=False)
    revision.machine = "toaster"
    revision.build()
    refused(revision, revision.storage_image(), "verify: .*machine is toaster, this device is qemu-amd64")


def test_missing_storage_is_explained(make: Make) -> None:
    revision = make()
    refused(revision, None, "storage: no block device carries file system")


def test_a_file_system_that_needs_a_human_is_refused(make: Make) -> None:
    revision = make()
    storage = revision.storage_image()
    with storage.open("r+b") as stream:
        # The group descriptors: e2fsck -p does not repair these alone.
        stream.seek(4096)
        stream.write(b"\xff" * 64)
    refused(revision, storage, "storage: /dev/vda: the file system is damaged beyond .*pyc-storage: ")
