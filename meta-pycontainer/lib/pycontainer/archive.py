# SPDX-License-Identifier: MIT
"""Archives whose bytes follow from their content alone: sorted names, one time, no owner's name."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write(target: Path, content: Mapping[str, bytes], epoch: int, mode: int = 0o644) -> list[str]:
    """Write the tar `target` (POSIX.1-1988, ustar) of files by their names, all of the time `epoch`; returns names."""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(content.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(data), epoch, mode
            tar.addfile(entry, io.BytesIO(data))
    return sorted(content)
