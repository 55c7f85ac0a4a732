# SPDX-License-Identifier: MIT
"""Reading a database file of any kind that is known, with its digest."""

from __future__ import annotations

from pathlib import Path

from orchestrator.canonical import read_limited, sha256_digest
from orchestrator.cve import debian, osv
from orchestrator.cve.model import Database
from orchestrator.errors import ConfigError, VerificationError

LIMIT = 2 * 1024 * 1024 * 1024


def load(path: Path) -> Database:
    """Return the database in a file: OSV (an advisory, a list, a zip archive) or Debian's security tracker.

    Raises ConfigError when the file cannot be read, VerificationError when it is of no known kind.
    """
    try:
        data = read_limited(path, LIMIT)
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read", problem.strerror or str(problem), "name a database file"
        ) from problem
    if len(data) > LIMIT:
        raise VerificationError(f"{path} is too large", f"the limit is {LIMIT} bytes")
    digest = sha256_digest(data)
    head = data[: 1 << 20]
    advisory = b'"affected"' in head and b'"id"' in head
    if data[:4] == b"PK\x03\x04" or head.lstrip()[:1] == b"[" or advisory:
        found = osv.database(data, path.name, digest)
    else:
        found = debian.database(data, path.name, digest)
    if not found.entries:  # it would find nothing, which reads like good news
        raise VerificationError(f"{path} has no entries", "nothing could be found by it", "get the whole database")
    return found
