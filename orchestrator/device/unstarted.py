# SPDX-License-Identifier: MIT
"""Tell a program that could not be started from one that ended with that status, as every shell does.

crun ends with 255 for whatever it could not do, and says what in one line of the program's standard error (1.21). That
becomes 127 for a program that is not there and 126 for one that may not be run (POSIX, "Exit Status for Commands").
"""

from __future__ import annotations

import re
from collections.abc import Callable

_FAILED = 255
_MISSING = re.compile(rb"executable file `.*` not found(?: in \$PATH)?: [^\n]*\n?")
_NO_PROGRAM = re.compile(
    rb"(?:the path `.*` (?:exists but it is not executable|is not a regular file)|cannot open `.*`): [^\n]*\n?"
)
_TEXT_MOST = 8192


class Unstarted:
    """Hears what a program writes, which goes on to `show`, and knows its status by it."""

    def __init__(self, show: Callable[[str, bytes], None]) -> None:
        self._show = show
        self._text = bytearray()
        self._spoke = False

    def hear(self, name: str, data: bytes) -> None:
        """Take what came on `out` or `err`."""
        self._spoke = self._spoke or name != "err" or len(self._text) + len(data) > _TEXT_MOST
        if not self._spoke:
            self._text += data
        self._show(name, data)

    def status(self, found: int) -> int:
        """Return the status that a shell would give; another program's own is left as it is."""
        if found != _FAILED or self._spoke:
            return found
        return 127 if _MISSING.fullmatch(self._text) else 126 if _NO_PROGRAM.fullmatch(self._text) else found
