# SPDX-License-Identifier: MIT
from __future__ import annotations

import dataclasses
import json
import socket
from pathlib import Path

import msgspec
import pytest

from orchestrator.deploy import Deploy, DeployManifest, Distribution
from orchestrator.emulator.qemu import Forward, choose_ports, command, explain, options_for
from orchestrator.errors import ConfigError, PyContainerError, TryAgainError, VerificationError
from tests.unit.emulator.conftest import Faker, emulator


def argv(fake: Faker, **changes: object) -> list[str]:
    options = dataclasses.replace(fake(), **changes)  # type: ignore[arg-type]
    return command(options, variables=Path("/v.fd"), console=Path("/c"), control=Path("/a,b/ctl"), monitor_fd=7)


def test_writes_go_to_an_overlay_unless_they_are_to_persist(fake: Faker) -> None:
    assert any("snapshot=on" in word for word in argv(fake))
    assert any("snapshot=off" in word for word in argv(fake, persist=True))


def test_a_log_of_writes_lies_before_the_disk_which_offers_nothing_that_the_log_cannot_hold(fake: Faker) -> None:
    words = argv(fake, persist=True, write_log=Path("/a,b/log"), image=Path("/a.img"))
    disk = next(word for word in words if "blklogwrites" in word)
    assert "file.filename=/a.img,log.driver=file,log.filename=/a,,b/log" in disk
    assert any("virtio-blk-pci" in word and "write-zeroes=off,discard=off" in word for word in words)
    with pytest.raises(ValueError, match="keeps them"):
        argv(fake, write_log=Path("/log"))


def test_ports_are_reachable_from_this_machine_only(fake: Faker) -> None:
    words = argv(fake, forwards=(Forward(18080, 80), Forward(2222, 22)))
    assert "user,id=net,hostfwd=tcp:127.0.0.1:18080-:80,hostfwd=tcp:127.0.0.1:2222-:22" in words


def test_a_comma_in_a_path_stays_in_the_path(fake: Faker) -> None:
    assert any("file=/a,,b.img," in word for word in argv(fake, image=Path("/a,b.img")))


def test_the_manifest_and_the_user_decide_the_hardware(fake: Faker) -> None:
    words = argv(fake, memory_mib=96, accel="kvm", reboot=False, extra=("-device", "i6300esb"))
    assert words[words.index("-m") + 1] == "96"
    assert words[words.index("-accel") + 1] == "kvm"
    assert {"virtio-rng-pci", "-no-reboot", "i6300esb"} <= set(words)
    assert argv(fake)[argv(fake).index("-m") + 1] == "256"
    assert "-no-reboot" not in argv(fake)


def test_the_control_port_has_its_name_and_its_socket(fake: Faker) -> None:
    words = argv(fake)
    assert "socket,id=control,path=/a,,b/ctl,server=on,wait=off" in words
    assert "virtserialport,chardev=control,name=org.pycontainer.control" in words
    assert words.index("virtio-serial-pci") < words.index("virtserialport,chardev=control,name=org.pycontainer.control")


def test_a_missing_qemu_is_named_with_its_package(fake: Faker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = fake()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ConfigError) as caught:
        command(options, variables=Path("/v"), console=Path("/c"), control=Path("/k"), monitor_fd=3)
    assert "qemu-system-x86_64 is not installed" in caught.value.what
    assert "qemu-system-x86," not in caught.value.hint
    assert "apt-get install qemu-system-x86)" in caught.value.hint


def test_port_zero_becomes_a_free_port() -> None:
    chosen = choose_ports((Forward(0, 80), Forward(0, 22)))
    assert all(each.host > 0 for each in chosen)
    assert chosen[0].host != chosen[1].host
    assert [each.guest for each in chosen] == [80, 22]


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}") as caught:
            choose_ports((Forward(port, 80),))
    assert caught.value.why == "another program uses it"


def test_an_impossible_port_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not a port"):
        choose_ports((Forward(70000, 80),))


@pytest.mark.parametrize(
    ("stderr", "kind", "what"),
    [
        ('qemu: Failed to get "write" lock\nIs another process using the image [x]?\n', TryAgainError, "in use"),
        ("qemu: -netdev x: Could not set up host forwarding rule 'tcp'\n", ConfigError, "port"),
        ("qemu: Could not open 'x': Permission denied\n", ConfigError, "cannot start"),
        ("qemu: cannot set up guest memory 'pc.ram'\n", ConfigError, "cannot start"),
        ("qemu: something else\n", VerificationError, "ended by itself"),
        ("", VerificationError, "ended by itself"),
    ],
)
def test_the_last_words_of_qemu_become_an_error_with_a_reason(
    stderr: str, kind: type[PyContainerError], what: str
) -> None:
    error = explain(stderr, 1, Path("disk.img"))
    assert type(error) is kind
    assert what in error.what
    assert error.why


def deploy(folder: Path, emulator: object) -> Deploy:
    (folder / "pycontainer-deploy.json").write_text(
        json.dumps(
            {
                "schemaVersion": 1, "base": "debian", "machine": "board", "architecture": "amd64",
                "distribution": {"id": "debian", "version": "13"}, "sourceDateEpoch": 1, "layers": [],
                **({"emulator": emulator} if emulator else {}),
            }
        )
    )  # fmt: skip
    return Deploy(folder)


def test_the_deploy_manifest_gives_the_machine(tmp_path: Path) -> None:
    image = tmp_path / "x.img"
    image.touch()
    words = {
        "binary": "qemu-system-x86_64", "machine": "q35", "cpu": "max", "memoryMiB": 256, "smp": 2, "console": "ttyS0",
        "firmware": [
            {"name": "edk2", "kind": "pflash", "code": "fw/code", "variables": "fw/vars"},
            {"name": "u-boot", "kind": "bios", "code": "fw/u-boot.bin"},
        ],
    }  # fmt: skip
    options = options_for(deploy(tmp_path, words), image, persist=True, memory_mib=128)
    assert options.firmware_code == tmp_path / "fw/code"
    assert (options.persist, options.memory_mib) == (True, 128)
    other = options_for(deploy(tmp_path, words), image, firmware="u-boot")
    assert (other.firmware_code, other.firmware_vars) == (tmp_path / "fw/u-boot.bin", None)
    other = dataclasses.replace(other, emulator=msgspec.structs.replace(other.emulator, binary="true"))
    argv = command(other, variables=Path("v"), console=Path("c"), control=Path("s"), monitor_fd=3)
    assert argv[argv.index("-bios") + 1] == str(tmp_path / "fw/u-boot.bin")
    assert not [word for word in argv if "pflash" in word]
    with pytest.raises(ConfigError, match="no firmware coreboot") as caught:
        options_for(deploy(tmp_path, words), image, firmware="coreboot")
    assert "edk2, u-boot" in caught.value.hint


def test_a_board_without_emulator_is_to_be_flashed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be emulated"):
        options_for(deploy(tmp_path, None), tmp_path / "x.img")


def test_a_missing_image_is_to_be_built(tmp_path: Path) -> None:
    words = {
        "binary": "q", "machine": "q35", "cpu": "max", "memoryMiB": 256, "smp": 2, "console": "ttyS0",
        "firmware": [{"name": "edk2", "kind": "pflash", "code": "c", "variables": "v"}],
    }  # fmt: skip
    with pytest.raises(ConfigError, match="there is no image"):
        options_for(deploy(tmp_path, words), tmp_path / "x.img")


def test_less_memory_than_the_machine_starts_with_is_said_before_it_starts(tmp_path: Path) -> None:
    deploy = Deploy.__new__(Deploy)
    deploy.folder = tmp_path
    machine = msgspec.structs.replace(emulator(), least_memory_mi_b=192)
    deploy.manifest = DeployManifest(
        schema_version=1, base="debian", machine="m", architecture="amd64", source_date_epoch=1, layers=[],
        distribution=Distribution(id="debian", version="13"), emulator=machine,
    )  # fmt: skip
    image = tmp_path / "x.img"
    image.write_bytes(b"")
    with pytest.raises(ConfigError, match="128 MiB are too little") as caught:
        options_for(deploy, image, memory_mib=128)
    assert "192 MiB" in caught.value.why
    assert options_for(deploy, image, memory_mib=192).memory_mib == 192
    assert options_for(deploy, image).memory_mib is None
