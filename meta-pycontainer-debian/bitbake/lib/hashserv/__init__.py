# SPDX-License-Identifier: GPL-2.0-only
"""The part of BitBake's `hashserv` that the library needs at import: builds run without hash equivalence."""

import re
from typing import NoReturn


def is_valid_unihash(value: str) -> bool:
    """Whether `value` is a unified hash: 64 lower-case hexadecimal digits."""
    return re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _unsupported(*_arguments: object, **_options: object) -> NoReturn:
    raise NotImplementedError("hash equivalence is not supported: leave BB_HASHSERVE and BB_HASHSERVE_UPSTREAM unset")


create_client = _unsupported
create_server = _unsupported
