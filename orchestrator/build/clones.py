# SPDX-License-Identifier: MIT
"""A repository that kas could not fetch, out of what kas and Git say of it."""

from __future__ import annotations

import re

_FAILED = re.compile(
    r'Command "(?P<folder>[^"]*?)\$ git (?P<verb>[a-z-]+) ?(?P<words>[^"]*)" failed:\n'
    r"(?P<said>(?:(?!\d{4}-\d\d-\d\d ).*\n?)*)"
)
_URL = re.compile(r"\S+://\S+")


def unfetched(output: str) -> tuple[str, str, str] | None:
    """Return what, why and what to do of the first command of Git's that failed; None when none did.

    kas logs the command with its folder before it and Git's own words behind it, which end at the next line with a
    time (kas, libkas.py: `_report_cmd_error`).
    """
    found = _FAILED.search(output)
    if found is None:
        return None
    url = _URL.search(found["words"])
    lines = [line.strip() for line in found["said"].splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    why = next(iter(marked or lines[-1:]), "git says nothing").removeprefix("fatal: ").removeprefix("error: ")
    if found["verb"] in ("clone", "fetch", "ls-remote"):
        return (
            f"the repository {url[0] if url else found['folder']} cannot be fetched",
            why,
            "give the machine a network, or name in KAS_PREMIRRORS or KAS_REPO_REF_DIR where clones of it lie",
        )
    return (
        f"git {found['verb']} failed in {found['folder']}",
        why,
        f"remove {found['folder']}, and it is cloned anew; what KAS_PREMIRRORS names may lack the pinned commit",
    )
