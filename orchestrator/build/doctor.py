# SPDX-License-Identifier: MIT
"""What the build machine must have: each check says what it looked for, and the command that mends it."""

from __future__ import annotations

import os
import platform
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from orchestrator.build import openembedded
from orchestrator.errors import ConfigError
from orchestrator.machines.read import checkout, emulators
from orchestrator.machines.read import machine as described_machine

PURPOSES = ("build", "run", "test")
WHEEL = ("bitbake-setup", "2.19.0")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
"""1 on Ubuntu since 23.10: a program of no AppArmor profile gets a user namespace without any rights in it."""
_BUILD_BYTES = 15 * 10**8
"""What a first build takes in the product's folder at its height, and some more."""
_REBUILD_BYTES = 6 * 10**8
_DOWNLOAD_BYTES = 4 * 10**8


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for; `package` is Debian's name of what brings it, empty when none does."""

    name: str
    ok: bool
    detail: str
    package: str = ""
    command: str = ""
    passing: bool = False
    """No program mends it, and it may be otherwise in a moment."""


@dataclass(frozen=True)
class _Program:
    name: str
    package: str
    why: str
    purpose: str


_PROGRAMS = (
    _Program("bash", "bash", "BitBake runs shell tasks with it", "build"),
    _Program("wget", "wget", "BitBake's fetcher runs it", "build"),
    _Program("zstd", "zstd", "BitBake's library writes its signature files with it", "build"),
    _Program("git", "git", "kas runs it", "build"),
    _Program("gpgv", "gpgv", "verifies the Debian archive's signatures", "build"),
    _Program("gcc", "gcc", "compiles the device program's unit tests", "test"),
    _Program("make", "make", "runs them", "test"),
    _Program("clang", "clang", "builds the fuzzers", "test"),
    _Program("fsverity", "fsverity", "the oracle for fs-verity digests", "test"),
    _Program("bmaptool", "bmap-tools", "the oracle for block maps", "test"),
    _Program("unsquashfs", "squashfs-tools", "reads layer images back", "test"),
    _Program("busybox", "busybox-static", "the containers of the device's tests", "test"),
    _Program("cpio", "cpio", "the oracle for initramfs archives", "test"),
    _Program("grub-editenv", "grub-common", "the oracle for boot records", "test"),
    _Program("chromium", "chromium", "opens and prints the audit page", "test"),
    _Program("sfdisk", "fdisk", "the oracle for partition tables", "test"),
    _Program("mkfs.fat", "dosfstools", "stands in for the native tools in unit tests", "test"),
    _Program("mcopy", "mtools", "stands in for the native tools in unit tests", "test"),
    _Program("debugfs", "e2fsprogs", "stands in for the native tools in unit tests", "test"),
    _Program("apparmor_parser", "apparmor", "stands in for the native tools in unit tests", "test"),
    _Program("sgdisk", "gdisk", "checks partition tables", "test"),
    _Program("buildah", "buildah", "builds the images of the import's tests", "test"),
    _Program("skopeo", "skopeo", "copies them into every form", "test"),
    _Program("docker-registry", "docker-registry", "the registry of the registry's tests", "test"),
    _Program("softhsm2-util", "softhsm2", "the token of the signing tests", "test"),
    _Program("pkcs11-tool", "opensc", "signs with it", "test"),
    _Program("ssh-agent", "openssh-client", "the agent of the signing tests", "test"),
    _Program("umoci", "umoci", "the oracle for merged OCI layers", "test"),
    _Program("rpmbuild", "rpm", "makes packages of another family for a test", "test"),
)
# Debian has GRUB's modules for x86-64 on its own architecture alone.
_GRUB = {
    "x86_64": (
        (Path("/usr/lib/grub/x86_64-efi/moddep.lst"), "grub-efi-amd64-bin", "the oracle for GRUB's archive of modules"),
    )
}
_TEST_FILES = (
    (Path("/usr/include/stdio.h"), "libc6-dev", "the device program's unit tests include it"),
    (Path("/usr/include/jansson.h"), "libjansson-dev", "the device program's unit tests include it"),
    (Path("/usr/include/sodium.h"), "libsodium-dev", "the device program's unit tests include it"),
    (Path("/usr/share/containers/seccomp.json"), "golang-github-containers-common", "the engines' seccomp profile"),
    *_GRUB.get(platform.machine(), ()),
)


def examine(
    purposes: Sequence[str] = ("build", "run"),
    place: Path | None = None,
    machine: str | None = None,
    base: str = "debian",
) -> list[Finding]:
    """Look for everything that `purposes` need (of build, run, test); changes nothing.

    `place` is BitBake's build folder, which may not exist yet (default: one in this folder); `base` is what is built.
    Images of `machine` are to be run, else those of this computer's architecture; tests run those of all. Raises
    ConfigError for an unknown machine.
    """
    build = "build" in purposes and base == "debian"
    findings = [_python(), _wheel()] if build else [_python()]
    if "build" in purposes and not build:
        findings += _from_source(place or Path.cwd() / "build" / "bitbake")
    findings += [
        _program(entry) for entry in _PROGRAMS if entry.purpose in purposes and (build or entry.purpose != "build")
    ]
    if "run" in purposes or "test" in purposes:
        findings += _emulators(machine, everything="test" in purposes)
    if build:
        findings += [check() for check in (_locale, _keyring, _shared_memory, _ownership, _namespaces)]
        findings += _disk(place or Path.cwd() / "build" / "bitbake")
    if "test" in purposes:
        findings += [Finding(path.name, path.exists(), why, package) for path, package, why in _TEST_FILES]
    return findings


def _from_source(build: Path) -> list[Finding]:
    free, detail = openembedded.room(build)
    return [
        *[_program(_Program(name, package, openembedded.WHY, "build")) for name, package in openembedded.PROGRAMS],
        Finding("a user who is not root", os.geteuid() != 0, "OE-core refuses to be built by root: build as another"),
        _locale(),
        _shared_memory(),
        Finding("free disk", free, detail, passing=True),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python >= 3.11", sys.version_info >= (3, 11), f"this is {version}")


def _wheel() -> Finding:
    name, wanted = WHEEL
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = "absent"
    return Finding(
        f"{name} {wanted}",
        found == wanted,
        f"the BitBake library that the launcher is written for; found: {found}",
        command=shlex.join([sys.executable, "-m", "pip", "install", f"{name}=={wanted}"]),
    )


def _program(entry: _Program) -> Finding:
    path = shutil.which(entry.name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    return Finding(entry.name, path is not None, path or entry.why, entry.package)


def _emulators(name: str | None, everything: bool) -> list[Finding]:
    home = checkout()
    if name is not None and not everything:
        described = described_machine(home, name)
        wanted = (described.data.architecture,) if described.data and described.data.emulator else ()
    else:
        wanted = None
    here = platform.machine()
    return [
        _program(_Program(each.program, each.package, f"runs images ({each.architecture})", "run"))
        for each in emulators(home)
        if everything or (each.triplet.startswith(f"{here}-") if wanted is None else each.architecture in wanted)
    ]


def _locale() -> Finding:
    # In a process of its own: the C library remembers that a locale was missing, also after it was installed.
    attempt = "import locale; locale.setlocale(locale.LC_CTYPE, 'en_US.UTF-8')"
    found = subprocess.run([sys.executable, "-c", attempt], capture_output=True, check=False).returncode == 0
    return Finding(
        "locale en_US.UTF-8",
        found,
        "BitBake runs every task in it",
        "locales",
        "localedef -i en_US -f UTF-8 en_US.UTF-8",
    )


def _keyring() -> Finding:
    return Finding(
        "Debian archive keyring", _KEYRING.is_file(), f"{_KEYRING}, verifies package indexes", "debian-archive-keyring"
    )


def _shared_memory() -> Finding:
    return Finding(
        "/dev/shm", os.access("/dev/shm", os.W_OK), "BitBake's processes share locks there", command="mount it as tmpfs"
    )


def _ownership() -> Finding:
    if os.geteuid() == 0:
        return Finding("file ownership in root file systems", True, "you are root")
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container a number often has no name
        user = str(os.getuid())
    try:
        ranges = Path("/etc/subuid").read_text().splitlines()
    except OSError:
        ranges = []
    mapped = any(line.split(":")[0] in (user, str(os.getuid())) for line in ranges) and shutil.which("newuidmap")
    return Finding(
        "file ownership in root file systems",
        bool(mapped),
        "Debian's maintainer scripts run in a user namespace with subordinate ids (/etc/subuid)",
        "uidmap",
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
    )


def _namespaces() -> Finding:
    name = "user namespaces"
    if os.geteuid() == 0:
        return Finding(name, True, "you are root")
    try:
        attempt = ["unshare", "--user", "--map-root-user", "--mount", "true"]
        made = subprocess.run(attempt, capture_output=True, check=False).returncode == 0
    except OSError:
        made = False
    restricted = not made and _RESTRICTED.is_file() and _RESTRICTED.read_text().strip() == "1"
    return Finding(
        name,
        made,
        "root file systems are made in one, and tasks run without a network in one"
        + ("; AppArmor restricts them to named programs here" if restricted else ""),
        command=f"sysctl -w kernel.{_RESTRICTED.name}=0" if restricted else "",
    )


def downloads() -> Path:
    """Return the folder that keeps downloaded packages: $DL_DIR, or the one in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/")) / ".cache"
    return Path(os.environ.get("DL_DIR") or Path(cache) / "pycontainer" / "downloads")


def _disk(build: Path) -> list[Finding]:
    """Whether a build finds room, for each file system that it writes much to."""
    wanted = [
        (build, _REBUILD_BYTES if _is_folder(build / "tmp") else _BUILD_BYTES),
        (downloads(), 0 if _is_folder(downloads()) else _DOWNLOAD_BYTES),
    ]
    systems: dict[int, tuple[Path, int]] = {}
    for folder, need in wanted:
        there = next(place for place in (folder, *folder.absolute().parents) if _is_folder(place))
        first, sum_ = systems.get(there.stat().st_dev, (there, 0))
        systems[there.stat().st_dev] = (first, sum_ + need)
    found = []
    for place, need in systems.values():
        free = shutil.disk_usage(place).free
        detail = f"{free / 1e9:.1f} GB are free in {place}, a build wants {need / 1e9:.1f} GB"
        if need:
            found.append(Finding("free disk", free >= need, detail, passing=True))
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a folder above it is closed to us
        return False


def commands(findings: Sequence[Finding]) -> list[list[str]]:
    """Return the commands, in order, that mend what can be mended; empty when nothing is missing."""
    missing = [finding for finding in findings if not finding.ok]
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    packages = sorted({finding.package for finding in missing if finding.package})
    result = []
    if packages:
        result.append([*prefix, "apt-get", "update"])
        result.append([*prefix, "apt-get", "install", "-y", "--no-install-recommends", *packages])
    for finding in missing:
        if finding.command and not finding.command.startswith("mount"):
            own = finding.command.startswith(shlex.quote(sys.executable))
            result.append([*([] if own else prefix), *shlex.split(finding.command)])
    return result


def install(findings: Sequence[Finding], announce: Callable[[str], None]) -> None:
    """Run `commands(findings)`; raises ConfigError when one fails or this is no Debian-like machine."""
    todo = commands(findings)
    if any("apt-get" in command for command in todo) and shutil.which("apt-get") is None:
        names = ", ".join(finding.name for finding in findings if not finding.ok)
        raise ConfigError(
            "this machine has no apt-get", f"missing: {names}", "install them with its own package manager"
        )
    for command in todo:
        announce("$ " + " ".join(command))
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        if command[0] == "sudo":
            command = ["sudo", "DEBIAN_FRONTEND=noninteractive", *command[1:]]
        try:
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        except FileNotFoundError as problem:
            raise ConfigError(
                f"{command[0]} is missing", "installing needs root", "run as root: " + " ".join(command)
            ) from problem
        if done.returncode != 0:
            raise ConfigError(
                f"'{' '.join(command[:4])} ...' failed with status {done.returncode}",
                "its messages stand above",
                "mend that and run 'pycontainer doctor --install' again",
            )
