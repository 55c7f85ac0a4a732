# SPDX-License-Identifier: MIT
"""The system calls that change files: their numbers on each architecture, and what their arguments say.

Numbers: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (arm64).
"""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

WRITE, GROW, SYNC, RENAME, LINK, REMOVE, MAKE, CREATE, EMPTY, MODE = (
    "write", "grow", "sync", "rename", "link", "remove", "make", "create", "empty", "mode",
)  # fmt: skip
"""What a call does: bytes of a buffer into a file; bytes from elsewhere; bring to the disk; names; a file's length or
mode."""
NEEDS_ROOM = frozenset({WRITE, GROW, RENAME, LINK, MAKE, CREATE})
"""What a full disk may refuse: a folder that gets a name may need a block for it."""

X86_64, ARM64 = 0xC000003E, 0xC00000B7
"""AUDIT_ARCH of linux/audit.h."""

_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "write": (1, 64),
    "pwrite64": (18, 68),
    "writev": (20, 66),
    "pwritev": (296, 70),
    "pwritev2": (328, 287),
    "sendfile": (40, 71),
    "copy_file_range": (326, 285),
    "fallocate": (285, 47),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "open": (2, None),
    "creat": (85, None),
    "openat": (257, 56),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rmdir": (84, None),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "utimensat": (280, 88),
    "ioctl": (16, 29),
    "openat2": (437, 437),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
AUDIT_ARCH = (X86_64, ARM64)[_COLUMN or 0]
SECCOMP = (317, 277)[_COLUMN or 0]
PIDFD_GETFD = 438
NUMBERS = {name: both[_COLUMN or 0] for name, both in _NUMBERS.items() if both[_COLUMN or 0] is not None}
NAMES = {number: name for name, number in NUMBERS.items()}

FICLONE = 0x40049409
AT_FDCWD = -100
CREATING = os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Call:
    """A call that is about to be done. `path` is what it changes (of a rename or link the new name); `source` the old
    name; `descriptor` the caller's, with `length` bytes at `address` of its memory when it writes."""

    process: int
    name: str
    does: str
    path: str
    source: str = ""
    descriptor: int = -1
    address: int = 0
    length: int = 0


def supported() -> bool:
    """Whether this machine's calls are known."""
    return _COLUMN is not None


def decode(process: int, number: int, arguments: tuple[int, ...]) -> Call | None:
    """Return what a stopped call of a process does; None when it changes no file."""
    name = NAMES[number]
    one, two, three, four = arguments[:4]
    match name:
        case "write" | "pwrite64":
            return Call(process, name, WRITE, _of_descriptor(process, one), "", _int(one), two, three)
        case "writev" | "pwritev" | "pwritev2" | "sendfile" | "ioctl":
            return Call(process, name, GROW, _of_descriptor(process, one))
        case "copy_file_range":
            return Call(process, name, GROW, _of_descriptor(process, three))
        case "fallocate":
            return Call(process, name, GROW, _of_descriptor(process, one))
        case "fsync" | "fdatasync":
            return Call(process, name, SYNC, _of_descriptor(process, one))
        case "ftruncate":
            return Call(process, name, EMPTY, _of_descriptor(process, one))
        case "truncate":
            return Call(process, name, EMPTY, _at(process, AT_FDCWD, one))
        case "fchmod":
            return Call(process, name, MODE, _of_descriptor(process, one))
        case "chmod":
            return Call(process, name, MODE, _at(process, AT_FDCWD, one))
        case "fchmodat" | "utimensat":
            return Call(process, name, MODE, _at(process, one, two) if two else _of_descriptor(process, one))
        case "open" | "creat":
            return _opened(process, name, _at(process, AT_FDCWD, one))
        case "openat" | "openat2":
            return _opened(process, name, _at(process, one, two))
        case "mkdir":
            return _absent(Call(process, name, MAKE, _at(process, AT_FDCWD, one)))
        case "mkdirat":
            return _absent(Call(process, name, MAKE, _at(process, one, two)))
        case "unlink" | "rmdir":
            return _present(Call(process, name, REMOVE, _at(process, AT_FDCWD, one)))
        case "unlinkat":
            return _present(Call(process, name, REMOVE, _at(process, one, two)))
        case "rename":
            return Call(process, name, RENAME, _at(process, AT_FDCWD, two), _at(process, AT_FDCWD, one))
        case "renameat" | "renameat2":
            return Call(process, name, RENAME, _at(process, three, four), _at(process, one, two))
        case "link":
            return Call(process, name, LINK, _at(process, AT_FDCWD, two), _at(process, AT_FDCWD, one))
        case "linkat":
            return Call(process, name, LINK, _at(process, three, four), _at(process, one, two))
        case "symlink":
            return Call(process, name, LINK, _at(process, AT_FDCWD, two))
        case _:
            return Call(process, name, LINK, _at(process, two, three))


def _opened(process: int, name: str, path: str) -> Call | None:
    """An open with O_CREAT or O_TRUNC: makes a file, empties one, or changes nothing."""
    try:
        size = Path(path).stat().st_size
    except OSError:
        return Call(process, name, CREATE, path)
    # O_CREAT alone of what is there changes nothing; that O_TRUNC was among the flags is taken for granted only when
    # there is something to lose: a lock file, which is opened with O_CREAT, is empty.
    return Call(process, name, EMPTY, path) if size else None


def _absent(call: Call) -> Call | None:
    return None if os.path.lexists(call.path) else call


def _present(call: Call) -> Call | None:
    return call if os.path.lexists(call.path) else None


def _int(value: int) -> int:
    """An argument's lower half as C's int."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def _of_descriptor(process: int, descriptor: int) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{process}/fd/{_int(descriptor)}").readlink())
    return ""


def _at(process: int, folder: int, address: int) -> str:
    """The absolute path that a folder's descriptor and a string in the caller's memory name, links in it followed."""
    text = _string(process, address)
    if not text.startswith("/"):
        base = Path(f"/proc/{process}/cwd").readlink() if _int(folder) == AT_FDCWD else _of_descriptor(process, folder)
        text = f"{base}/{text}"
    if text.startswith("/proc/self/"):
        text = f"/proc/{process}/{text.removeprefix('/proc/self/')}"
    path = Path(text)
    return str(path.parent.resolve() / path.name)


def _string(process: int, address: int) -> str:
    found = b""
    descriptor = os.open(f"/proc/{process}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        while b"\0" not in found and len(found) < 4096:
            # not over the end of a page: the next one may not be there
            piece = os.pread(descriptor, 4096 - (address + len(found)) % 4096, address + len(found))
            if not piece:
                break
            found += piece
    finally:
        os.close(descriptor)
    return os.fsdecode(found.split(b"\0", 1)[0])
