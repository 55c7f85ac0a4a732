# SPDX-License-Identifier: MIT
"""Make the boot record vectors of this folder: `python make_vectors.py` writes them, a unit test compares them.

`decode.json` holds blocks that every reader must read alike, the orchestrator's and the device's: `block` (Base64, with
`fill` times '#' behind it), `record` (what it says, or null), and `canonical`: whether writing that record gives these
very bytes. `choose.json` holds pairs of records, a damaged one as null, and which of them counts.
"""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any

from orchestrator.image import record
from orchestrator.image.record import Record
from orchestrator.revision import bootenv

REV, TRY, OTHER = "a1" * 32, "b2" * 32, "c3" * 32
HEADER = b"# GRUB Environment Block\n"
PLAIN = Record(7, REV)
TRIED = Record(8, REV, TRY, 2)


def lines(*given: str) -> bytes:
    """Return a block of these lines."""
    return (HEADER + "".join(f"{line}\n" for line in given).encode("latin-1")).ljust(bootenv.BLOCK_SIZE, b"#")


def variables(**changed: str) -> dict[str, str]:
    """Return the variables of TRIED with some of them changed."""
    return {"gen": "8", "rev": REV, "try": TRY, "left": "2", "ok": TRIED.ok, **changed}


def with_ok(**changed: str) -> bytes:
    """Return a block whose `ok` repeats the changed variables."""
    values = variables(**changed)
    values["ok"] = ":".join(values[name] for name in ("gen", "rev", "try", "left"))
    return lines(*(f"{name}={value}" for name, value in values.items()))


def blocks() -> dict[str, bytes]:
    """Return the blocks by what they show."""
    plain, tried = record.encode(PLAIN), record.encode(TRIED)
    good = [f"{name}={value}" for name, value in variables().items()]
    flipped = bytearray(tried)
    flipped[tried.index(b"b2b2") + 9] ^= 1
    return {
        "nothing is tried": plain,
        "a revision is tried": tried,
        "no attempt is left": record.encode(Record(8, REV, TRY, 0)),
        "all attempts are left": record.encode(Record(8, REV, TRY, 3)),
        "the first generation": record.encode(Record(1, REV)),
        "the last generation": record.encode(Record(record.MAX_GENERATION, REV, OTHER, 1)),
        "a generation too many": with_ok(gen="1000000000"),
        "generation zero": with_ok(gen="0"),
        "a leading zero": with_ok(gen="08"),
        "a signed generation": with_ok(gen="+8"),
        "no generation": with_ok(gen=""),
        "an attempt too many": with_ok(left="4"),
        "two digits of attempts": with_ok(left="02"),
        "attempts of nothing": with_ok(**{"try": "", "left": "1"}),
        "an attempt that is no revision": with_ok(**{"try": TRY[:-1]}),
        "a revision in capitals": with_ok(rev=REV.upper()),
        "a revision that is too long": with_ok(rev=REV + "a"),
        "no revision": with_ok(rev=""),
        "a colon within a variable": with_ok(rev=f"{REV}:{TRY}", **{"try": ""}),
        "ok does not match": lines(*(f"{name}={value}" for name, value in variables(gen="9").items())),
        "no ok": lines(*good[:-1]),
        "ok with something behind it": lines(*good[:-1], good[-1] + " "),
        "ok with a zero byte behind it": lines(*good[:-1], good[-1] + "\0"),
        "ok with a byte that is not UTF-8 behind it": lines(*good[:-1], good[-1] + "\xff"),
        "one changed bit": bytes(flipped),
        "another order": lines(*reversed(good)),
        "foreign variables between": lines("x=1", good[0], "saved_entry=0", *good[1:], "y="),
        "comments between": lines("# one", good[0], "#", *good[1:]),
        "an empty line becomes a part of the next name": lines("", *good),
        "a line without = becomes a part of the next name": lines(*good[:2], "rubbish", *good[2:]),
        "a line without = before a foreign variable": lines("rubbish", "x=1", *good),
        "a name twice: the last one counts": lines("gen=5", "ok=x", *good),
        "a name twice: the last one is wrong": lines(*good, "gen=5"),
        "a long value is replaced by a good one": lines("rev=" + "f" * 300, *good),
        "escaped characters": lines(*good[:3], "left=\\2", *good[4:]),
        "an escaped line end": lines("x=1\\", "gen=5", *good),
        "an escaped backslash": lines("x=1\\\\", *good),
        "a backslash as the very last byte": lines(*good).rstrip(b"#").ljust(1021, b"#") + b"\nx\\",
        "cut off before the last line end": HEADER + b"\n".join(line.encode() for line in good).ljust(999, b"#"),
        "nothing but the header": lines(),
        "another header": tried.replace(b"GRUB", b"GRUP"),
        "a header with a carriage return": tried.replace(b"Block\n", b"Block\r\n")[: bootenv.BLOCK_SIZE],
        "lines with carriage returns": lines(*(f"{line}\r" for line in good)),
        "a byte too few": tried[:-1],
        "a byte too many": tried + b"#",
        "no bytes": b"",
        "zeros": bytes(bootenv.BLOCK_SIZE),
        "filled by zeros": tried.rstrip(b"#").ljust(bootenv.BLOCK_SIZE, b"\0"),
        "behind the first 512 bytes": lines("#" * 600, *good),
        **{f"torn at byte {cut}": tried[:cut] + plain[cut:] for cut in range(25, 340, 13)},
    }


def decode_vectors() -> list[dict[str, Any]]:
    """Return the cases of decode.json."""
    found = []
    for name, block in blocks().items():
        decoded, text = record.decode(block), block.rstrip(b"#")
        found.append(
            {
                "name": name,
                "block": base64.b64encode(text).decode(),
                "fill": len(block) - len(text),
                "record": decoded and as_json(decoded),
                "canonical": decoded is not None and record.encode(decoded) == block,
            }
        )
    return found


def as_json(value: Record) -> dict[str, Any]:
    """Return a record as the vectors write it."""
    return {"generation": value.generation, "rev": value.rev, "try": value.attempt, "left": value.left}


def choose_vectors() -> list[dict[str, Any]]:
    """Return the cases of choose.json."""
    each = [
        None,
        Record(4, REV),
        *(Record(4, REV, TRY, left) for left in range(4)),
        Record(5, REV, TRY, 3),
        Record(9, OTHER),
        Record(10, OTHER),
        Record(record.MAX_GENERATION, REV),
    ]
    return [
        {"copies": [pair[0] and as_json(pair[0]), pair[1] and as_json(pair[1])], "chosen": record.choose(pair)}
        for pair in itertools.product(each, repeat=2)
    ]


def files() -> dict[str, str]:
    """Return the files of this folder by name."""
    made = {"decode.json": decode_vectors(), "choose.json": choose_vectors()}
    return {name: json.dumps(cases, indent=1) + "\n" for name, cases in made.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
