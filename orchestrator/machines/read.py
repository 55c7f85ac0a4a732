# SPDX-License-Identifier: MIT
"""Reading machines: from the data files and the kas files of a checkout."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.machines.model import Architecture, Machine

FOLDER = "machines"
_BITBAKE = "meta-pycontainer/conf/distro/include/pycontainer-emulator.inc"
"""Where the base over OE-core says how its machines are emulated: their other data is OE-core's own."""
_EMULATED = re.compile(r"^PYCONTAINER_EMULATOR:([a-z0-9][a-z0-9._-]*) \?= '(\{.*\})'$", re.M)
_LIMIT = 1 << 20
_Kind = TypeVar("_Kind", Machine, Architecture)


@dataclass(frozen=True)
class Described:
    """A machine as people choose it: its name, the bases that build it, and its data where it has a file of them.

    `firmware` names what QEMU can start it by, the usual one first; empty for a machine that is not emulated.
    """

    name: str
    bases: tuple[str, ...]
    data: Machine | None
    architecture: Architecture | None
    firmware: tuple[str, ...] = ()


def checkout() -> Path:
    """Return the folder that holds `kas/` and the BitBake layers; raises ConfigError when there is none.

    It is $PYCONTAINER_HOME, or the checkout that this package is part of.
    """
    place = Path(os.environ.get("PYCONTAINER_HOME") or Path(__file__).resolve().parents[2])
    if not (place / "kas").is_dir():
        raise ConfigError(
            f"no kas configurations in {place}",
            "the BitBake layers are not part of the installed Python package",
            "clone the repository and set PYCONTAINER_HOME to it, or install with 'pip install -e' from the clone",
        )
    return place


def bases_of(home: Path) -> dict[str, tuple[str, ...]]:
    """Return every machine that `kas/BASE-MACHINE.yml` files build, with its bases."""
    found: dict[str, list[str]] = {}
    for path in sorted((home / "kas").glob("*-*.yml")):
        if not path.name.endswith(".lock.yml"):
            base, _, machine = path.stem.partition("-")
            found.setdefault(machine, []).append(base)
    return {machine: tuple(bases) for machine, bases in found.items()}


def machines(home: Path) -> list[Described]:
    """Return the machines of a checkout, sorted by name; raises ConfigError for a data file that is wrong."""
    bases = bases_of(home)
    names = {path.stem for path in (home / FOLDER).glob("*.toml")} | bases.keys()
    return [_described(home, name, bases.get(name, ())) for name in sorted(names)]


def machine(home: Path, name: str) -> Described:
    """Return one machine; raises ConfigError when there is none of the name."""
    bases = bases_of(home)
    if name not in bases:
        raise ConfigError(
            f"unknown machine '{name}'",
            f"no file kas/BASE-{name}.yml in {home}",
            f"machines: {', '.join(sorted(bases))}",
        )
    return _described(home, name, bases[name])


def usual_base(home: Path, name: str) -> str:
    """Return the base for those who name none: `debian` where it has the machine, else that which has it."""
    found = bases_of(home).get(name, ())
    return found[0] if found and "debian" not in found else "debian"


def emulated(home: Path, base: str) -> dict[str, str]:
    """Return the machines of a base that QEMU shows, by name, each with its processor as `uname -m` calls it."""
    if base != "debian":
        there = bases_of(home)
        return {
            name: each.binary.removeprefix("qemu-system-")
            for name, each in _of_bitbake(home).items()
            if base in there.get(name, ())
        }
    found = [each for each in machines(home) if base in each.bases and each.data and each.data.emulator]
    return {each.name: each.architecture.triplet.partition("-")[0] for each in found if each.architecture}


class _Firmware(msgspec.Struct, frozen=True):
    name: str


class _Emulator(msgspec.Struct, frozen=True):
    binary: str
    firmware: list[_Firmware]


def _of_bitbake(home: Path) -> dict[str, _Emulator]:
    """Return the machines of the base over OE-core that are emulated."""
    path = home / _BITBAKE
    text = read_limited(path, _LIMIT).decode() if path.is_file() else ""
    return {
        name: msgspec.json.decode(value, type=_Emulator) for name, value in _EMULATED.findall(text.replace("\\\n", ""))
    }


def usual_machine(home: Path, base: str) -> str:
    """Return the machine for those who name none: an emulated one of `base`, best of this computer's architecture."""
    found = emulated(home, base)
    if not found:
        raise ConfigError(f"the base {base} has no emulated machine", str(home / FOLDER), "name one: --machine")
    own = [name for name, processor in found.items() if processor == platform.machine()]
    return (own or list(found))[0]


def _described(home: Path, name: str, bases: tuple[str, ...]) -> Described:
    path = home / FOLDER / f"{name}.toml"
    if not path.is_file():
        own = _of_bitbake(home).get(name)
        return Described(name, bases, None, None, tuple(each.name for each in own.firmware) if own else ())
    data = _read(path, Machine)
    common = home / FOLDER / "architectures" / f"{data.architecture}.toml"
    if not common.is_file():
        known = ", ".join(sorted(file.stem for file in common.parent.glob("*.toml")))
        raise ConfigError(f"{path}: unknown architecture '{data.architecture}'", f"known: {known}", f"write {common}")
    firmware = tuple(each.name for each in data.emulator.firmware) if data.emulator else ()
    return Described(name, bases, data, _read(common, Architecture), firmware)


@dataclass(frozen=True)
class EmulatedArchitecture:
    """An architecture with emulated machines: what runs them, and Debian's package that has it."""

    architecture: str
    triplet: str
    program: str
    package: str


def emulators(home: Path) -> list[EmulatedArchitecture]:
    """Return the architectures that have an emulated machine."""
    found = {}
    for each in machines(home):
        if each.data and each.architecture and each.data.emulator:
            qemu = each.architecture.qemu
            name = each.data.architecture
            found[name] = EmulatedArchitecture(name, each.architecture.triplet, qemu.program, qemu.package)
    return [found[name] for name in sorted(found)]


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise ValueError(f"larger than {_LIMIT} bytes")
        return msgspec.toml.decode(data, type=kind)
    except (OSError, ValueError, msgspec.MsgspecError) as problem:
        raise ConfigError(
            f"the data file {path} is wrong", str(problem)[:300], "docs/machines.md has the keys"
        ) from problem
