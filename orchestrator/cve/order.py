# SPDX-License-Identifier: MIT
"""Which order the versions of an ecosystem have.

Sources: Debian Policy 5.6.12; PEP 440 (pre-releases before, post-releases after); Alpine's apk-package(5) suffixes;
RPM's rpmvercmp (its `~` and epoch as Debian's); Semantic Versioning 2.0.0 for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.sbom.versions import compare_debian, compare_semantic

Compare = Callable[[str, str], int]

_PRE = re.compile(r"[-_.]?(a|alpha|b|beta|c|rc|pre|preview)[-_.]?(\d*)(?=[^a-z]|\Z)")
_DEV = re.compile(r"[-_.]?dev(\d*)")
_POST = re.compile(r"[-_.]?(?:post|rev|r)[-_.]?(\d*)")
_SHORT = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_APK = re.compile(r"_(alpha|beta|pre|rc)")


def _python(version: str) -> str:
    text = version.strip().lower().lstrip("v").partition("+")[0]
    text = _PRE.sub(lambda match: f"~{_SHORT.get(match[1], match[1])}{match[2] or 0}", text)
    text = _DEV.sub(lambda match: f"~~dev{match[1] or 0}", text)
    text = _POST.sub(lambda match: f"+post{match[1] or 0}", text)
    return re.sub(r"(?:\.0)+(?=\Z|[~+])", "", text)


def _compare_python(one: str, other: str) -> int:
    return compare_debian(_python(one), _python(other))


def _compare_apk(one: str, other: str) -> int:
    return compare_debian(_APK.sub(r"~\1", one), _APK.sub(r"~\1", other))


_ORDERS: dict[str, Compare] = {
    "Debian": compare_debian,
    "Ubuntu": compare_debian,
    "Alpine": _compare_apk,
    "PyPI": _compare_python,
    "Fedora": compare_debian,
    "Rocky Linux": compare_debian,
    "AlmaLinux": compare_debian,
}


def order_of(ecosystem: str) -> Compare:
    """Return the comparison of an ecosystem's versions; semantic versions where nothing else is known."""
    return _ORDERS.get(ecosystem, compare_semantic)
