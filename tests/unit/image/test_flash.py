# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.image import bmap, devices
from orchestrator.image import flash as flash_module
from orchestrator.image.devices import Target, inspect
from orchestrator.image.flash import flash

BLOCK = bmap.BLOCK
BLOCKS = 800


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(b"".join(bytes([number % 255 + 1]) * BLOCK for number in range(BLOCKS)))
    with path.open("rb") as stream:
        mapped = bmap.map_image(stream.fileno(), BLOCKS * BLOCK, [(0, 4), (100, 700), (BLOCKS - 5, BLOCKS - 1)])
    bmap.path_for(path).write_bytes(bmap.encode(mapped))
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(b"\xee" * (BLOCKS + 50) * BLOCK)
    return path


def yes(_target: Target) -> bool:
    return True


def test_mapped_blocks_are_written_and_others_left_alone(image: Path, disk: Path) -> None:
    phases: list[tuple[str, int, int]] = []
    result = flash(image, disk, confirm=yes, allow_file=True, progress=lambda *step: phases.append(step))
    written, source = disk.read_bytes(), image.read_bytes()
    assert written[: 5 * BLOCK] == source[: 5 * BLOCK]
    assert written[5 * BLOCK : 100 * BLOCK] == b"\xee" * 95 * BLOCK
    assert written[100 * BLOCK : 701 * BLOCK] == source[100 * BLOCK : 701 * BLOCK]
    assert result.written == 611 * BLOCK
    assert {name for name, _, _ in phases} == {"write", "verify"}
    assert [done for name, done, _ in phases if name == "verify"][-1] == 611 * BLOCK
    assert not any(written[-33 * 512 :]), "an older backup table at the disk's end would be believed"


def test_nothing_is_written_without_confirmation(image: Path, disk: Path) -> None:
    before = disk.read_bytes()
    with pytest.raises(ConfigError, match="not confirmed"):
        flash(image, disk, confirm=lambda _target: False, allow_file=True)
    assert disk.read_bytes() == before


def test_an_image_is_never_written_onto_itself(image: Path) -> None:
    before = image.read_bytes()
    with pytest.raises(ConfigError, match="is the image itself"):
        flash(image, image, confirm=yes, allow_file=True)
    assert image.read_bytes() == before


def test_a_disk_that_was_changed_for_another_after_it_was_confirmed_is_left_alone(
    image: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = disk.read_bytes()
    seen = iter(
        [Target(disk, len(before), serial="1", block=False), Target(disk, len(before), serial="2", block=False)]
    )
    monkeypatch.setattr(flash_module, "inspect", lambda *_arguments, **_options: next(seen))
    with pytest.raises(ConfigError, match="no longer the disk that was confirmed"):
        flash(image, disk, confirm=yes, allow_file=True)
    assert disk.read_bytes() == before


def test_a_disk_that_is_too_small_is_refused(image: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(bytes((BLOCKS - 1) * BLOCK))
    with pytest.raises(ConfigError, match="too small"):
        flash(image, small, confirm=yes, allow_file=True)


def test_a_changed_image_leaves_a_disk_without_partition_table(image: Path, disk: Path) -> None:
    data = bytearray(image.read_bytes())
    data[300 * BLOCK] ^= 1
    image.write_bytes(data)
    with pytest.raises(VerificationError, match="does not match its block map"):
        flash(image, disk, confirm=yes, allow_file=True)
    assert not any(disk.read_bytes()[: 5 * BLOCK])


def test_a_disk_that_forgets_is_found_out(image: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(descriptor: int, _target: Target) -> None:
        os.pwrite(descriptor, b"?", 400 * BLOCK)

    monkeypatch.setattr(flash_module, "_forget", forget)
    with pytest.raises(VerificationError, match="does not give back"):
        flash(image, disk, confirm=yes, allow_file=True)


def test_an_interrupted_write_leaves_a_disk_without_partition_table(image: Path, disk: Path) -> None:
    def interrupt(_phase: str, done: int, _total: int) -> None:
        if done > 2_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flash(image, disk, confirm=yes, allow_file=True, progress=interrupt)
    assert not any(disk.read_bytes()[: 5 * BLOCK])


def test_an_image_without_its_map_is_refused(image: Path, disk: Path) -> None:
    bmap.path_for(image).unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        flash(image, disk, confirm=yes, allow_file=True)


def test_a_map_of_another_image_is_refused(image: Path, disk: Path) -> None:
    with image.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(VerificationError, match="does not belong"):
        flash(image, disk, confirm=yes, allow_file=True)


def test_a_regular_file_is_no_disk_unless_asked_for(disk: Path) -> None:
    with pytest.raises(ConfigError, match="is not a disk"):
        inspect(disk)


def test_a_missing_device_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no device"):
        inspect(tmp_path / "sdz")


class FakeSystem:
    """sysfs and procfs with one disk, sdb (8:16), of one partition; `attributes` overrides its files."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, place: str = "pci0/usb1/block/sdb") -> None:
        self.root = root
        self.folder = root / "sys/devices" / place
        self.device = root / "dev-sdb"
        self.device.touch()
        number = os.makedev(8, 16)
        real = Path.stat

        def fake_stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            found = real(path, follow_symlinks=follow_symlinks)
            if path != self.device:
                return found
            return os.stat_result((stat.S_IFBLK | 0o660, *tuple(found)[1:]), {"st_rdev": number})

        monkeypatch.setattr(Path, "stat", fake_stat)
        self.write("dev", "8:16")
        self.write("size", "2000")
        self.write("removable", "1")
        self.write("device/vendor", "ACME    ")
        self.write("device/model", "Stick   ")
        self.write("device/serial", "123")
        self.write("queue/logical_block_size", "512")
        self.write("sdb1/partition", "1")
        self.write("sdb1/dev", "8:17")
        (self.folder / "holders").mkdir()
        (self.folder / "sdb1/holders").mkdir()
        link = root / "sys/dev/block/8:16"
        link.parent.mkdir(parents=True)
        link.symlink_to(self.folder)
        self.proc("self/mountinfo", "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
        self.proc("swaps", "Filename Type Size Used Priority\n")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    def proc(self, name: str, text: str) -> None:
        path = self.root / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def inspect(self, *, force_fixed: bool = False) -> Target:
        return inspect(self.device, force_fixed=force_fixed, root=self.root)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    return FakeSystem(tmp_path, monkeypatch)


def test_a_free_removable_disk_is_described(system: FakeSystem) -> None:
    target = system.inspect()
    assert (target.size, target.model, target.serial, target.bus) == (1_024_000, "ACME Stick", "123", "usb")
    assert target.describe().endswith("0.0 GB usb disk, ACME Stick, serial 123")


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("30 22 8:17 / /media/a\\040b rw - vfat /dev/sdb1 rw\n", "/media/a b"),
        ("30 22 8:16 / /mnt rw shared:1 - ext4 /dev/sdb rw\n", "/mnt"),
        ("30 22 0:40 / /btr rw - btrfs /dev/sdb1 rw\n", "/btr"),
    ],
)
def test_a_mounted_disk_is_refused(system: FakeSystem, line: str, where: str) -> None:
    system.proc("self/mountinfo", line)
    with pytest.raises(ConfigError, match="is mounted at") as caught:
        system.inspect(force_fixed=True)
    assert where in caught.value.what
    assert caught.value.why
    assert caught.value.hint == f"unmount it first: umount {where}"


def test_nobody_is_told_to_unmount_the_running_system(system: FakeSystem) -> None:
    system.proc("self/mountinfo", "30 22 8:17 / / rw - ext4 /dev/sdb1 rw\n")
    with pytest.raises(ConfigError, match="is mounted at /") as caught:
        system.inspect(force_fixed=True)
    assert "umount" not in caught.value.hint
    assert "lsblk" in caught.value.hint


def test_a_disk_with_swap_is_refused(system: FakeSystem) -> None:
    system.proc("swaps", "Filename Type\n/dev/sdb1 partition 1 0 -2\n")
    with pytest.raises(ConfigError, match="swap"):
        system.inspect()


@pytest.mark.parametrize("holder", ["holders/dm-0", "sdb1/holders/md0"])
def test_a_disk_that_another_device_is_built_on_is_refused(system: FakeSystem, holder: str) -> None:
    (system.folder / holder).mkdir()
    with pytest.raises(ConfigError, match="is in use"):
        system.inspect()


def test_a_partition_is_refused_and_its_disk_named(system: FakeSystem) -> None:
    system.write("partition", "1")
    with pytest.raises(ConfigError, match="is a partition"):
        system.inspect()


def test_a_fixed_disk_needs_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = FakeSystem(tmp_path, monkeypatch, place="pci0/ata1/block/sdb")
    fixed.write("removable", "0")
    with pytest.raises(ConfigError, match="fixed disk"):
        fixed.inspect()
    assert fixed.inspect(force_fixed=True).bus == ""


@pytest.mark.parametrize(
    ("name", "value", "what"), [("ro", "1", "write-protected"), ("queue/logical_block_size", "4096", "sectors")]
)
def test_an_unsuitable_disk_is_refused(system: FakeSystem, name: str, value: str, what: str) -> None:
    system.write(name, value)
    with pytest.raises(ConfigError, match=what):
        system.inspect(force_fixed=True)


def test_a_disk_on_mmc_needs_no_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = FakeSystem(tmp_path, monkeypatch, place="soc/mmc0/block/sdb")
    card.write("removable", "0")
    assert card.inspect().bus == "mmc"
    assert devices.Target(Path("/dev/x"), 1).name == "x"
