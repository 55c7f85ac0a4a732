# SPDX-License-Identifier: MIT
"""Running images in QEMU: the command line, a machine that tests can hold, and what the user sees."""
