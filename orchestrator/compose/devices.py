# SPDX-License-Identifier: MIT
"""The numbers of devices that are the same on every Linux: Documentation/admin-guide/devices.txt of the kernel.

A compose file names a device by its path on the machine that runs it; a layer is built elsewhere and needs the numbers.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple


class Numbers(NamedTuple):
    """A device's kind and numbers."""

    kind: Literal["c", "b"]
    major: int
    minor: int


_FIXED = {
    "/dev/fb0": Numbers("c", 29, 0),
    "/dev/fuse": Numbers("c", 10, 229),
    "/dev/kvm": Numbers("c", 10, 232),
    "/dev/net/tun": Numbers("c", 10, 200),
    "/dev/ppp": Numbers("c", 108, 0),
    "/dev/uinput": Numbers("c", 10, 223),
    "/dev/watchdog": Numbers("c", 10, 130),
    "/dev/snd/seq": Numbers("c", 116, 1),
    "/dev/snd/timer": Numbers("c", 116, 33),
}
_SERIES: tuple[tuple[str, int, int, int], ...] = (
    # path, major, minor of number 0, how many
    ("/dev/ttyS", 4, 64, 192),
    ("/dev/tty", 4, 0, 64),
    ("/dev/ttyAMA", 204, 64, 16),
    ("/dev/ttyUSB", 188, 0, 256),
    ("/dev/ttyACM", 166, 0, 256),
    ("/dev/i2c-", 89, 0, 256),
    ("/dev/video", 81, 0, 64),
    ("/dev/dri/card", 226, 0, 64),
    ("/dev/dri/renderD", 226, 0, 192),
    ("/dev/usb/lp", 180, 0, 16),
    ("/dev/input/event", 13, 64, 32),
)


def device_numbers(path: str) -> Numbers | None:
    """Return the numbers of a device, or None when they differ from machine to machine."""
    if path in _FIXED:
        return _FIXED[path]
    match = re.fullmatch(r"(.*?)(0|[1-9]\d{0,2})", path)
    for prefix, major, first, count in _SERIES if match else ():
        if match and match[1] == prefix and int(match[2]) < count:
            if prefix == "/dev/dri/renderD" and int(match[2]) < 128:
                return None
            return Numbers("c", major, first + int(match[2]))
    return None
