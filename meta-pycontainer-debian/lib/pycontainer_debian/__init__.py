# SPDX-License-Identifier: MIT
"""What the Debian base does apart from BitBake: indexes, resolving, archives, layers. Nothing here imports `bb`.

BITBAKE: `BBIMPORTS` is empty on purpose; classes name the modules they use, so that `file-checksums` can cover them.
"""

BBIMPORTS: list[str] = []
