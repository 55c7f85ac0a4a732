# SPDX-License-Identifier: MIT
"""A machine's data files as BitBake's variables: `machines/NAME.toml`, and `machines/architectures/ARCH.toml`.

Which keys there are the orchestrator's `machines` room says; its tests hold every file against that.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from .errors import DebianError

_LIMIT = 1 << 20
_FIRMWARE = "firmware"


def read(path: Path) -> dict[str, Any]:
    """Read one data file; raises DebianError when it is missing or no TOML."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise ValueError(f"larger than {_LIMIT} bytes")
        return tomllib.loads(data.decode())
    except FileNotFoundError as problem:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml")))
        what = f"there is no data file {path}" if path.stem != ".toml" else "MACHINE is not set"
        raise DebianError(what, f"known here: {known}", "set MACHINE in conf/local.conf to one of them") from problem
    except (OSError, ValueError) as problem:
        raise DebianError(f"the data file {path} cannot be read", str(problem)[:300], "correct it") from problem


def variables(folder: Path, name: str, build_architecture: str) -> dict[str, str]:
    """Return what the recipes read of a machine, as variables; raises DebianError for data that lacks something."""
    machine = read(folder / f"{name}.toml")
    try:
        architecture = str(machine["architecture"])
        common = read(folder / "architectures" / f"{architecture}.toml")
        build = read(folder / "architectures" / f"{build_architecture}.toml")
        kernel, uefi, modules = machine["kernel"], common["uefi"], common["modules"]
        own = machine.get("modules", {})
        found = {
            "DEBIAN_ARCH": architecture,
            "TARGET_TRIPLET": common["triplet"],
            "BUILD_TRIPLET": build["triplet"],
            "BUILD_LOADER": build["loader"],
            "COMPILER_PACKAGE": common["compiler"],
            "KERNEL_PACKAGE": kernel["package"],
            "KERNEL_IMAGE": common.get("kernel-image", "vmlinuz"),
            "KERNEL_COMMAND_LINE": " ".join(kernel["arguments"]),
            "GRUB_TARGET": uefi["grub-target"],
            "GRUB_PACKAGE": uefi["grub-package"],
            "GRUB_MORE_MODULES": " ".join(uefi.get("grub-modules", [])),
            "EFI_NAME": uefi["name"],
            "MACHINE_DEVICE_TREE": kernel.get("device-tree", ""),
            **_firmware(machine.get("firmware", {})),
            **_modules(modules, own),
            **_emulator(machine.get("emulator"), common["qemu"]),
        }
    except (KeyError, TypeError, AttributeError) as problem:
        what = f"the data of the machine {name} are not whole"
        raise DebianError(what, f"{type(problem).__name__}: {problem}", f"compare {folder}/*.toml") from problem
    return found


def _modules(common: dict[str, list[str]], own: dict[str, list[str]]) -> dict[str, str]:
    """Return the lists of kernel modules; the initramfs takes its own out of the BSP, so they are in that too."""
    lists = {key: [*common.get(key, []), *own.get(key, [])] for key in ("bsp", "host", "load")}
    lists["bsp"] = list(dict.fromkeys([*lists["bsp"], *lists["host"]]))
    return {f"MACHINE_MODULES_{key.upper()}": " ".join(names) for key, names in lists.items()}


def _firmware(firmware: dict[str, Any]) -> dict[str, str]:
    """Return what starts a board: packages, archive components beside main, and the plan (see `board`)."""
    plan = {key: firmware.get(key, []) for key in ("files", "areas")}
    return {
        "MACHINE_FIRMWARE": json.dumps(plan, sort_keys=True) if firmware else "",
        "MACHINE_FIRMWARE_PACKAGES": " ".join(firmware.get("packages", [])),
        "MACHINE_FIRMWARE_EXCLUDE": " ".join(firmware.get("exclude", [])),
        "DEBIAN_COMPONENTS": " ".join(["main", *firmware.get("components", [])]),
    }


def _emulator(emulator: dict[str, Any] | None, qemu: dict[str, str]) -> dict[str, str]:
    """Return the deploy manifest's `emulator`, the packages of its firmware and the files of them that are wanted."""
    if emulator is None:
        return {"EMULATOR": "null", "EMULATOR_PACKAGES": "", "EMULATOR_FILES": ""}
    packages: set[str] = set()
    files: set[str] = set()
    firmware = []
    for each in emulator["firmware"]:
        packages.add(each["package"])
        paths = {key: each[key] for key in ("code", "variables") if key in each}
        files.update(paths.values())
        there = {key: f"{_FIRMWARE}/{path}" for key, path in paths.items()}
        firmware.append({"name": each["name"], "kind": each["kind"], **there})
    value = {
        "binary": qemu["program"],
        "package": qemu["package"],
        "machine": emulator["machine"],
        "cpu": emulator["cpu"],
        "memoryMiB": emulator["memory-mib"],
        "leastMemoryMiB": emulator["least-memory-mib"],
        "smp": emulator["smp"],
        "console": emulator["console"],
        "devices": emulator["devices"],
        "kvm": emulator["kvm"],
        "firmware": firmware,
    }
    return {
        "EMULATOR": json.dumps(value, sort_keys=True),
        "EMULATOR_PACKAGES": " ".join(sorted(packages)),
        "EMULATOR_FILES": " ".join(sorted(files)),
    }
