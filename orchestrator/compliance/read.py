# SPDX-License-Identifier: MIT
"""Reading a document of either format from foreign bytes: bounded, strict JSON, then by its format's reader."""

from __future__ import annotations

from pathlib import Path

from orchestrator.canonical import read_limited
from orchestrator.compliance import read_spdx2, read_spdx3
from orchestrator.compliance.bill import Bill
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.strict import load_json

LIMIT = 256 * 1024 * 1024
ELEMENTS_LIMIT = 1_000_000


def read_bill(data: bytes, what: str = "the document") -> Bill:
    """Return the bill that SPDX bytes hold; raises VerificationError, naming `what`, when they are no SPDX document."""
    value = load_json(data, what, limit=LIMIT)
    if not isinstance(value, dict):
        raise VerificationError(f"{what} is no SPDX document", "it is not one JSON object")
    try:
        if "@graph" in value:
            if len(value["@graph"]) > ELEMENTS_LIMIT:
                raise VerificationError(f"{what} is too large", f"the limit is {ELEMENTS_LIMIT} elements")
            return _settled(read_spdx3.read(value, len(data)))
        if "spdxVersion" in value:
            return _settled(read_spdx2.read(value, len(data)))
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise VerificationError(
            f"{what} is no SPDX document", f"{type(problem).__name__}: {str(problem)[:200]}", _HINT
        ) from problem
    raise VerificationError(f"{what} is no SPDX document", "neither '@graph' nor 'spdxVersion' is in it", _HINT)


_HINT = "SPDX 3.0.1 JSON-LD and SPDX 2.3 JSON are read"


def _settled(bill: Bill) -> Bill:
    bill.settle()
    return bill


def read_file(path: Path) -> Bill:
    """Return the bill in a file; raises ConfigError when it cannot be read, VerificationError when it is none."""
    try:
        data = read_limited(path, LIMIT)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", problem.strerror or str(problem), "name a document") from problem
    return read_bill(data, str(path))
