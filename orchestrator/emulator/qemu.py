# SPDX-License-Identifier: MIT
"""QEMU's command line for a machine of the deploy manifest, and the meaning of QEMU's complaints."""

from __future__ import annotations

import errno
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.deploy import Deploy, Emulator
from orchestrator.errors import ConfigError, PyContainerError, TryAgainError, VerificationError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Forward:
    """A TCP port of this machine's loopback that leads to a port of the guest; host port 0 means any free one."""

    host: int
    guest: int


@dataclass(frozen=True)
class MachineOptions:
    """One virtual machine: the hardware of the deploy manifest and what the user asked for.

    `persist` lets the guest's writes reach the image; otherwise they go to a throw-away overlay. `memory_mib` overrides
    the manifest. `accel` is kvm or tcg. `reboot` False makes a guest's restart end the machine. `write_log` is a new
    file for a log of every write and flush of the disk (dm-log-writes' format); it wants `persist`. `extra` is appended
    to QEMU's arguments as it is.
    """

    emulator: Emulator
    firmware_code: Path
    firmware_vars: Path | None
    image: Path
    forwards: tuple[Forward, ...] = ()
    persist: bool = False
    memory_mib: int | None = None
    accel: str = "tcg"
    reboot: bool = True
    firmware_kind: str = "pflash"
    write_log: Path | None = None
    extra: tuple[str, ...] = field(default=())


def options_for(
    deploy: Deploy,
    image: Path,
    *,
    forwards: tuple[Forward, ...] = (),
    persist: bool = False,
    memory_mib: int | None = None,
    accel: str = "tcg",
    firmware: str | None = None,
) -> MachineOptions:
    """Return the options that run `image`, started by the firmware of this name or the machine's usual one.

    Raises ConfigError for a machine without emulator, a firmware that it does not have, or a missing image.
    """
    emulator = deploy.manifest.emulator
    if emulator is None:
        raise ConfigError(
            f"the machine {deploy.manifest.machine} cannot be emulated",
            "its deploy manifest names no emulator",
            "write the image to its disk instead: pycontainer flash IMAGE DEVICE",
        )
    if memory_mib is not None and memory_mib < emulator.least_memory_mi_b:
        raise ConfigError(
            f"{memory_mib} MiB are too little for the machine {deploy.manifest.machine}",
            f"its firmware and kernel need {emulator.least_memory_mi_b} MiB to start, however small the product is",
            f"give it more: --memory {emulator.least_memory_mi_b}",
        )
    known = [each.name for each in emulator.firmware]
    if firmware is not None and firmware not in known:
        raise ConfigError(
            f"the machine {deploy.manifest.machine} has no firmware {firmware}", "", f"it has: {', '.join(known)}"
        )
    chosen = emulator.firmware[0 if firmware is None else known.index(firmware)]
    if not image.is_file():
        raise ConfigError(f"there is no image at {image}", "", "build it first: pycontainer build")
    return MachineOptions(
        emulator=emulator,
        firmware_code=deploy.resolve(chosen.code),
        firmware_vars=deploy.resolve(chosen.variables) if chosen.variables else None,
        firmware_kind=chosen.kind,
        image=image,
        forwards=forwards,
        persist=persist,
        memory_mib=memory_mib,
        accel=accel,
    )


def binary(emulator: Emulator) -> str:
    """Return the path of the QEMU program; raises ConfigError naming the package that has it."""
    found = shutil.which(emulator.binary)
    if found is None:
        raise ConfigError(
            f"{emulator.binary} is not installed",
            "images run in QEMU, which comes from the build machine's own distribution",
            f"install it (apt-get install {emulator.package}), or: pycontainer doctor --install",
        )
    return found


# One thread for all emulated processors: with one for each, QEMU lets a processor run code that another one is just
# changing, and a kernel that patches itself at the start dies of it in one of some hundred starts ("Oops: int3").
_ACCELERATORS = {"kvm": "kvm", "tcg": "tcg,thread=single"}


def path_value(path: Path) -> str:
    """A path inside one of QEMU's comma-separated options."""
    return str(path.absolute()).replace(",", ",,")


def _disk(options: MachineOptions) -> str:
    """The disk of a machine, behind the logging driver when its writes are asked for."""
    if options.write_log is None:
        snapshot = "off" if options.persist else "on"
        return f"id=disk,if=none,format=raw,file={path_value(options.image)},snapshot={snapshot}"
    if not options.persist:
        raise ValueError("a log of writes needs an image that keeps them")
    image, log = path_value(options.image), path_value(options.write_log)
    return (
        f"id=disk,if=none,driver=blklogwrites,file.driver=file,file.filename={image},log.driver=file,log.filename={log}"
    )


CONTROL_PORT = "org.pycontainer.control"
"""The name by which a device finds the port of its control protocol."""


def command(options: MachineOptions, *, variables: Path, console: Path, control: Path, monitor_fd: int) -> list[str]:
    """Return QEMU's argument list.

    `variables` is the machine's own copy of the firmware variables, `console` the common name of two named pipes,
    `control` the socket that QEMU makes for the control port, and the monitor an inherited socket. Pipes, because they
    take many single bytes before they are full: a guest whose serial port is held up drops characters.
    """
    emulator = options.emulator
    device = "virtio-blk-pci,drive=disk,bootindex=0"
    if options.write_log is not None:
        # QEMU before 9.1 lets another write fall between a logged "write zeroes" and its data: none are offered.
        device += ",write-zeroes=off,discard=off"
    network = "user,id=net" + "".join(f",hostfwd=tcp:{LOOPBACK}:{each.host}-:{each.guest}" for each in options.forwards)
    argv = [
        binary(emulator), "-name", "pycontainer", "-no-user-config", "-nodefaults", "-display", "none",
        "-machine", emulator.machine, "-accel", _ACCELERATORS[options.accel],
        "-cpu", "host" if options.accel == "kvm" else emulator.cpu,
        "-m", str(options.memory_mib or emulator.memory_mi_b), "-smp", str(emulator.smp),
        *_firmware(options, variables),
        "-drive", _disk(options), "-device", device,
        "-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile=",
        "-chardev", f"pipe,id=console,path={path_value(console)}", "-serial", "chardev:console",
        "-chardev", f"socket,id=monitor,fd={monitor_fd}", "-mon", "chardev=monitor,mode=control",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=control,path={path_value(control)},server=on,wait=off",
        "-device", f"virtserialport,chardev=control,name={CONTROL_PORT}",
    ]  # fmt: skip
    for more in emulator.devices:
        argv += ["-device", more]
    if not options.reboot:
        argv.append("-no-reboot")
    return [*argv, *options.extra]


def _firmware(options: MachineOptions, variables: Path) -> list[str]:
    """QEMU's arguments for the firmware, as its kind wants them."""
    if options.firmware_kind != "pflash":
        return [f"-{options.firmware_kind}", str(options.firmware_code.absolute())]
    words = ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={path_value(options.firmware_code)}"]
    if options.firmware_vars is not None:
        words += ["-drive", f"if=pflash,unit=1,format=raw,file={path_value(variables)}"]
    return words


def choose_ports(forwards: tuple[Forward, ...]) -> tuple[Forward, ...]:
    """Return the forwards with every 0 replaced by a free port; raises ConfigError for a port that is taken."""
    chosen: list[Forward] = []
    probes: list[socket.socket] = []
    try:
        for forward in forwards:
            probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            probes.append(probe)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, forward.host))
            except OverflowError as problem:
                raise ConfigError(f"{forward.host} is not a port", "ports go from 1 to 65535") from problem
            except OSError as problem:
                raise port_taken(forward.host, problem) from problem
            chosen.append(Forward(probe.getsockname()[1], forward.guest))
    finally:
        for probe in probes:
            probe.close()
    return tuple(chosen)


def port_taken(port: int, problem: OSError | None = None) -> ConfigError:
    """The error for a host port that cannot be had."""
    why = "another program uses it"
    if problem is not None and problem.errno != errno.EADDRINUSE:
        why = problem.strerror or str(problem)
    return ConfigError(
        f"port {port} of this machine cannot be used", why, "name another one with --port, or 0 for any free one"
    )


def explain(stderr: str, status: int, image: Path) -> PyContainerError:
    """Turn the last words of a QEMU that ended by itself into an error with a remedy."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    why = lines[-1] if lines else f"no message; exit status {status}"
    if "Failed to get" in stderr and "lock" in stderr:
        return TryAgainError(
            f"the image is in use: {image}", "another machine writes to it", "stop that one, or run without --persist"
        )
    if "Could not set up host forwarding rule" in stderr:
        return ConfigError(
            "a port of this machine cannot be used", why, "name another one with --port, or 0 for any free one"
        )
    if "Could not open" in stderr or "annot allocate memory" in stderr or "annot set up guest memory" in stderr:
        return ConfigError("QEMU cannot start", why, "")
    return VerificationError("QEMU ended by itself", why, "pycontainer doctor shows whether QEMU and KVM work here")
