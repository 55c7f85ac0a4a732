# SPDX-License-Identifier: MIT
"""Keys that never were in a file: a program signs with them, by a token, an agent or a service.

`<name>.key.toml` holds `command = ["program", "argument"]`. The program gets the message on standard input and answers
the Ed25519 signature over it on standard output: its 64 bytes, or the same in base64. It gets $PYCONTAINER_KEY_ID and
$PYCONTAINER_KEY_PUBLIC (base64), so that one program may serve several keys; it may ask for a PIN on the terminal.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from orchestrator.errors import TrustError
from orchestrator.oci.files import explained
from orchestrator.trust.public import SIGNATURE_SIZE, PublicKey, strict_base64

COMMAND = ".key.toml"
"""What the file's name ends with."""
TIMEOUT = 300.0
"""Seconds that a command may take: time to find a token and touch it."""
_LIMIT = 64 * 1024


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    command: list[str]


class CommandSigner:
    """A key that a program signs with; a `Signer`."""

    def __init__(self, public: PublicKey, command: Sequence[str], timeout: float = TIMEOUT) -> None:
        self.public = public
        self.command = tuple(command)
        self._timeout = timeout

    @classmethod
    def load(cls, path: Path, public: PublicKey) -> CommandSigner:
        """Return the signer that a file describes; raises TrustError when others may write it, or it is out of form."""
        with explained("read the command of a key", path), path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_LIMIT + 1)
        if mode & 0o022 or not stat.S_ISREG(mode):
            raise TrustError(
                f"others may write to {path}", f"its mode is {mode & 0o7777:04o}",
                f"run: chmod 600 {shlex.quote(str(path))}",
            )  # fmt: skip
        try:
            file = msgspec.convert(tomllib.loads(data.decode()), _File)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as problem:
            raise TrustError(f"{path} does not say how to sign", str(problem)[:200], _FORM) from problem
        if not file.command or not file.command[0] or any("\0" in word for word in file.command):
            raise TrustError(f"{path} does not say how to sign", "the command is empty", _FORM)
        return cls(public, file.command)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature; raises TrustError when the program does not answer a right one."""
        name = f"the signing command {self.command[0]!r}"
        around = {**os.environ, "PYCONTAINER_KEY_ID": self.public.keyid, "PYCONTAINER_KEY_PUBLIC": self.public.base64}
        try:
            done = subprocess.run(
                self.command, input=message, stdout=subprocess.PIPE, env=around, timeout=self._timeout, check=False
            )
        except OSError as problem:
            raise TrustError(f"{name} cannot be run", str(problem), "correct the key's file") from problem
        except subprocess.TimeoutExpired as problem:
            raise TrustError(f"{name} does not end", f"after {self._timeout:.0f} s", "is the token there?") from problem
        if done.returncode != 0:
            raise TrustError(f"{name} failed", f"it ended with {done.returncode}", "see what it printed above")
        answer = done.stdout
        if len(answer) != SIGNATURE_SIZE:
            answer = strict_base64(answer[:200].decode("ascii", "replace").strip(), f"the answer of {name}")
        if not self.public.verifies(answer, message):
            raise TrustError(
                f"{name} answered no signature of key {self.public.keyid[:12]}",
                f"{len(answer)} bytes that the public key does not confirm",
                "it must sign the message itself with Ed25519, not its digest, and with the right key",
            )
        return answer


def render(command: Sequence[str]) -> bytes:
    """Return the content of a key's file for a command: JSON's strings are TOML's but for one character."""
    text = json.dumps(list(command), ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"command = {text}\n".encode()


_FORM = 'write: command = ["/path/to/program", "argument"]'
