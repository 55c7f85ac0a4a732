# SPDX-License-Identifier: MIT
"""Disk images: partition table, EFI system partition, storage, boot record, block map, and writing them to a disk."""
