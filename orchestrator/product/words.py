# SPDX-License-Identifier: MIT
"""The forms of names, paths and other words in the product file, and what each allows."""

from __future__ import annotations

from typing import Annotated

import msgspec

# Patterns end in (?![\s\S]) because Python's $ also matches before a last line end, and JSON Schema knows no \Z.
NAME = r"^[a-z0-9][a-z0-9._-]{0,62}(?![\s\S])"
VERSION = r"^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}(?![\s\S])"
PATH = r"^/[^\0]*(?![\s\S])"
CAPABILITY = r"^[A-Z][A-Z0-9_]{1,40}(?![\s\S])"
MODE = r"^0?[0-7]{3,4}(?![\s\S])"
RECIPE = r"^[a-z0-9][a-z0-9+._-]*(?![\s\S])"
VARIABLE = r"^[^=\0]+(?![\s\S])"
HOST = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}(?![\s\S])"
ARGUMENT = r"^[A-Za-z0-9_.,:;=+/@%^~!-]+(?![\s\S])"
PLATFORM = r"^[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9.]+)?(?![\s\S])"
PORTS = r"^[1-9][0-9]{0,4}:[1-9][0-9]{0,4}(?:/(?:tcp|udp))?(?![\s\S])"
URL_PATH = r"^/[!-~]*(?![\s\S])"
DEVICE = r"^/dev/[A-Za-z0-9][A-Za-z0-9/._+-]*(?![\s\S])"
ACCESS = r"^[rwm]{1,3}(?![\s\S])"
SIGNAL = r"^[A-Z0-9][A-Z0-9+-]{0,15}(?![\s\S])"
ULIMIT = r"^[a-z]{2,12}(?![\s\S])"
CHANNEL = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?![\s\S])"
SIGNER = r"[0-9a-f]{64}|-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{1,400}-----END PUBLIC KEY-----\s*"

PATTERNS = {
    NAME: "lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit, 63 at most",
    VERSION: "letters, digits and . + ~ _ -, beginning with a letter or digit, 64 at most",
    PATH: "an absolute path, beginning with /",
    CAPABILITY: "a capability's name in capital letters, such as NET_ADMIN",
    MODE: "an octal mode in quotes, such as '0755'",
    RECIPE: "a recipe's name, such as app-nginx",
    VARIABLE: "the name of an environment variable, without =",
    HOST: "a host name: letters, digits, '.' and '-', 63 at most",
    ARGUMENT: "one kernel argument without spaces, quotes or characters that the boot loader would change",
    PLATFORM: "an operating system, a processor and its variant if it has one, such as linux/arm64/v8",
    PORTS: "a port of the device, a colon, a port of the container, and /udp when it is not TCP, such as 8080:80",
    URL_PATH: "a path such as /health, without blanks",
    DEVICE: "the path of a device, such as /dev/ttyS1",
    ACCESS: "r to read, w to write, m to make the node, or several of them, such as rw",
    SIGNAL: "a signal's name or number, such as SIGINT, TERM, RTMIN+3 or 15",
    ULIMIT: "a resource limit of setrlimit(2) in small letters, such as nofile",
    CHANNEL: "the name of a virtio port, or of a serial device, such as ttyS1",
}
"""What each pattern allows, in words for an error message."""

Name = Annotated[str, msgspec.Meta(pattern=NAME)]
Version = Annotated[str, msgspec.Meta(pattern=VERSION)]
AbsolutePath = Annotated[str, msgspec.Meta(pattern=PATH, max_length=4096)]
Capability = Annotated[str, msgspec.Meta(pattern=CAPABILITY)]
Mode = Annotated[str, msgspec.Meta(pattern=MODE)]
UserId = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Reason = Annotated[str, msgspec.Meta(min_length=8, max_length=500)]
