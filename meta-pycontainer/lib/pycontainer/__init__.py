# SPDX-License-Identifier: MIT
"""The logic of meta-pycontainer's classes and recipes; it knows nothing of BitBake, so all of it runs in unit tests."""

BBIMPORTS = [
    "architecture", "archive", "board", "errors", "fragment", "licences", "manifest", "memdisk", "parts", "spdx",
    "tools",
]  # fmt: skip
