# SPDX-License-Identifier: MIT
"""AppArmor: the profile of each container, its name, and its compiled form, which the device only loads.

apparmor.d(5), apparmor_parser(8). Nothing is loaded here, and the kernel of this machine does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import hash_file, hex_of, read_limited, sha256_digest
from orchestrator.errors import ConfigError
from orchestrator.layers.apparmor_features import features
from orchestrator.layers.init import capabilities_of
from orchestrator.layers.options import RunOptions
from orchestrator.run import Tools, run

PARSER = "apparmor_parser"
_SOURCE_LIMIT = 256 * 1024
_HEADER = re.compile(r'^([ \t]*profile[ \t]+)("[^"\n]+"|[^\s"{(]+)', re.MULTILINE)
_PLACE = "@name@"

_NETWORKS = ("unix", "inet", "inet6", "netlink", "packet", "can", "bluetooth")

# What shows or changes the kernel itself, wherever it is mounted from.
_KERNEL_FILESYSTEMS = "securityfs, debugfs, tracefs, efivarfs, configfs, devtmpfs, binfmt_misc, bpf"

_BLOCK_DEVICES = "{sd,vd,hd,xvd,nvme,mmcblk,loop,dm-,mapper/,md,nbd,ram,zram,sr,mtdblock}"
_MEMORY_DEVICES = ("mem", "kmem", "port", "kmsg")

_PROFILE = """\
profile @name@ flags=(attach_disconnected,mediate_deleted) {
  file,
@rules@
  # Its own processes, and those of the host that look after it.
  signal (send, receive) peer=@name@,
  signal receive peer=unconfined,
  ptrace (trace, read, tracedby, readby) peer=@name@,
  ptrace (tracedby, readby) peer=unconfined,

  # Settings and triggers of the kernel: of all below /proc/sys only those of the network are a container's own.
  deny /proc/sys/[^n]** wlk,
  deny /proc/{acpi,asound,bus,driver,fs,irq,scsi,tty}/** wlk,
  deny /proc/{kcore,kmem,mem,sysrq-trigger,timer_list,sched_debug,keys,key-users,interrupts,mtrr} wlk,
  deny /proc/{kcore,kmem,mem,keys,timer_list} r,

  # Of /sys only the container's own control groups are written.
  deny /sys/{[^f],f[^s]}** wlk,
  deny /sys/fs/{[^c],c[^g]}** wlk,
  deny /sys/{firmware,kernel/debug,kernel/security,kernel/tracing,devices/virtual/powercap}/{,**} r,

  # What lies below files: disks, memory, the kernel's own messages.
@devices@}
"""


@dataclass(frozen=True)
class Policy:
    """A compiled profile: the name by which the kernel knows it, and the bytes that it loads."""

    name: str
    data: bytes


def make_policy(options: RunOptions, tools: Tools, workspace: Path, log: Path | None) -> Policy | None:
    """Return the policy of a container, or None when it runs unconfined.

    The name holds a digest of what is compiled, so that one name never means two policies. Raises ConfigError for a
    profile of the product that is none, or more than one.
    """
    if options.apparmor == "unconfined":
        return None
    own = options.apparmor_profile
    text = default_profile(options) if own is None else read_profile(own)
    # Compiled under a name without a digest first: a tool that gives the same bytes changes nothing.
    draft = f"pycontainer.{options.name}"
    digest = sha256_digest(_compiled(text.replace(_PLACE, draft), draft, own, tools, workspace, log))
    name = f"{draft}.{hex_of(digest)[:12]}"
    return Policy(name, _compiled(text.replace(_PLACE, name), name, own, tools, workspace, log))


def tools_identity(tools: Tools, tools_digest: str) -> str:
    """Return what names the compiler: the digest of its tree, or of the host's program."""
    return tools_digest or hash_file(Path(tools.path(PARSER)))


def default_profile(options: RunOptions) -> str:
    """Return the text of the profile of a container that has none of its own; its name is to be put in."""
    named = {*options.capabilities, *capabilities_of(options)}
    if options.runtime == "lxc":
        # LXC changes to the profile first and to the user after it; the container itself keeps neither.
        named |= {"SETGID", "SETUID"}
    kept = sorted({name.upper().removeprefix("CAP_") for name in named})
    rules = [f"  capability {name.lower()}," for name in kept]
    rules += [f"  network {family}," for family in _NETWORKS]
    if "SYS_ADMIN" in kept:
        rules += [
            "  mount,",
            "  umount,",
            "  pivot_root,",
            "  userns,",
            f"  deny mount fstype=({_KERNEL_FILESYSTEMS}),",
        ]
    given = {device.path for device in options.devices}
    devices = [f"  deny /dev/{name} rwlk," for name in _MEMORY_DEVICES if f"/dev/{name}" not in given]
    if not any(device.kind == "b" for device in options.devices):
        devices.append(f"  deny /dev/{_BLOCK_DEVICES}** rwlk,")
    return _PROFILE.replace("@rules@", _lines(rules)).replace("@devices@", _lines(devices))


def read_profile(path: Path) -> str:
    """Return the text of a profile of the product, with the place for its name; raises ConfigError."""
    try:
        data = read_limited(path, _SOURCE_LIMIT)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"the AppArmor profile {path} cannot be read", str(problem), "correct 'apparmor' of the layer"
        ) from problem
    if len(data) > _SOURCE_LIMIT:
        raise ConfigError(f"the AppArmor profile {path} is too large", f"the limit is {_SOURCE_LIMIT} bytes")
    headers = _HEADER.findall(text)
    if len(headers) != 1 or _PLACE in text:
        raise ConfigError(
            f"the AppArmor profile {path} cannot be used",
            f"it must have exactly one line that begins with 'profile NAME', and has {len(headers)}",
            "write: profile NAME flags=(attach_disconnected,mediate_deleted) { ... }; see apparmor.d(5)",
        )
    word = headers[0][1]
    text = _HEADER.sub(lambda found: found[1] + _PLACE, text)
    # It may speak of itself, as the peer of signals for example.
    return re.sub(rf"(?<=peer=){re.escape(word)}(?=[\s,)])", _PLACE, text)


def _compiled(text: str, name: str, own: Path | None, tools: Tools, workspace: Path, log: Path | None) -> bytes:
    known = workspace / "apparmor.features"
    known.write_text(features())
    argv = tools.argv(PARSER, "--config-file", "/dev/null", "-M", known, "-Q", "-K", "-q", "-j", "1")
    argv += ["--base", str(_base(tools, workspace))]
    try:
        names = run([*argv, "-N"], stdin=text.encode(), log=log, error=ConfigError)
        found = names.decode().split("\n")[:-1]
        if [each for each in found if "//" not in each] != [name]:
            raise ConfigError("it defines other profiles", ", ".join(found))
        data = run([*argv, "-S"], stdin=text.encode(), log=log, error=ConfigError)
    except ConfigError as problem:
        if own is None:
            raise
        raise ConfigError(
            f"the AppArmor profile {own} cannot be used", problem.why or problem.what, "mend it; see apparmor.d(5)"
        ) from problem
    return data


def _base(tools: Tools, workspace: Path) -> Path:
    """Return the folder whose tunables and abstractions a profile may include: that of the tools, or an empty one."""
    own = tools.bin_dir and tools.bin_dir.parent / "etc" / "apparmor.d"
    return own if own and own.is_dir() else workspace


def _lines(rules: Iterable[str]) -> str:
    return "".join(rule + "\n" for rule in rules)
