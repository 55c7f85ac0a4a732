# SPDX-License-Identifier: MIT
"""JSON lines about a running build for whoever reads the file: the orchestrator's live view.

{"event":"start","pid":N}                                  the process to signal
{"event":"parse","done":N,"total":N}                       recipes parsed
{"event":"task","state":S,"recipe":R,"task":T,"done":N,"total":N[,"pid":N,"log":PATH]}
                                                           S: started, succeeded, failed or skipped
{"event":"progress","recipe":R,"task":T,"percent":N|null[,"rate":TEXT]}
                                                           null: busy, end unknown
{"event":"log","level":"warning"|"error","text":TEXT}
{"event":"exit","status":N}                                the last line
"""

from __future__ import annotations

import json
import os


class EventFile:
    """Appends JSON lines to a file; without a path it does nothing."""

    def __init__(self, path: str | None) -> None:
        """Open `path` for appending; raises OSError when that fails, so that nobody waits for lines in vain."""
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644) if path else -1

    def write(self, event: str, **fields: object) -> None:
        """Append one line in one write, so that a reader never sees lines mixed."""
        if self._fd < 0:
            return
        line = json.dumps({"event": event, **fields}, separators=(",", ":"), ensure_ascii=False)
        data = line.encode("utf-8", "replace") + b"\n"
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:  # a full disk must not end the build: its own writes will tell
            os.close(self._fd)
            self._fd = -1
