# SPDX-License-Identifier: MIT
"""Make the partition table vector of this folder: `python make_vectors.py` writes it, a unit test compares it.

`image.json` is a small image as the orchestrator partitions it, for the device's reader: its size in sectors of 512
bytes, its partitions, and every sector that is not zero.
"""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path

from orchestrator.image.gpt import ESP_TYPE, LINUX_TYPE, SECTOR, Partition, stable_uuid, table

MIB = 1024 * 1024
SIZE = 12 * MIB
PARTITIONS = [
    Partition("pycontainer-esp", ESP_TYPE, uuid.UUID("01234567-89ab-8cde-8f01-23456789abcd"), MIB, 4 * MIB),
    Partition("pycontainer-storage", LINUX_TYPE, stable_uuid("demo", "qemu-amd64", "storage"), 5 * MIB, 6 * MIB),
]


def files() -> dict[str, str]:
    """Return the files of this folder by name."""
    start, end = table(stable_uuid("demo", "qemu-amd64", "disk"), SIZE, PARTITIONS)
    written = []
    for data, offset in ((start, 0), (end, SIZE - len(end))):
        for position in range(0, len(data), SECTOR):
            sector = data[position : position + SECTOR]
            if any(sector):
                written.append({"sector": (offset + position) // SECTOR, "bytes": base64.b64encode(sector).decode()})
    vector = {
        "sectors": SIZE // SECTOR,
        "partitions": [
            {
                "uuid": str(partition.guid),
                "first": partition.start // SECTOR,
                "last": (partition.start + partition.size) // SECTOR - 1,
            }
            for partition in PARTITIONS
        ],
        "written": written,
    }
    return {"image.json": json.dumps(vector, indent=1) + "\n"}


if __name__ == "__main__":
    for name, text in files().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
