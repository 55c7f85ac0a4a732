# SPDX-License-Identifier: MIT
"""Deprecated identifiers of the SPDX licence list and the current expressions that say the same.

Source: the list's own notes on deprecated identifiers. One without a certain successor stays as it is and is flagged
by check X2.
"""

from __future__ import annotations

from orchestrator.sbom.expression import All, Any, Licence, Node, all_of, any_of

_GNU = {
    f"{family}-{version}{suffix}": Licence(f"{family}-{version}-{'or-later' if suffix else 'only'}")
    for family, versions in {
        "AGPL": ("1.0", "3.0"),
        "GFDL": ("1.1", "1.2", "1.3"),
        "GPL": ("1.0", "2.0", "3.0"),
        "LGPL": ("2.0", "2.1", "3.0"),
    }.items()
    for version in versions
    for suffix in ("", "+")
}
_OTHERS = {
    "BSD-2-Clause-FreeBSD": Licence("BSD-2-Clause-Views"),
    "BSD-2-Clause-NetBSD": Licence("BSD-2-Clause"),
    "eCos-2.0": Licence("GPL-2.0-or-later", "eCos-exception-2.0"),
    "GPL-2.0-with-autoconf-exception": Licence("GPL-2.0-only", "Autoconf-exception-2.0"),
    "GPL-2.0-with-bison-exception": Licence("GPL-2.0-only", "Bison-exception-2.2"),
    "GPL-2.0-with-classpath-exception": Licence("GPL-2.0-only", "Classpath-exception-2.0"),
    "GPL-2.0-with-font-exception": Licence("GPL-2.0-only", "Font-exception-2.0"),
    "GPL-2.0-with-GCC-exception": Licence("GPL-2.0-only", "GCC-exception-2.0"),
    "GPL-3.0-with-autoconf-exception": Licence("GPL-3.0-only", "Autoconf-exception-3.0"),
    "GPL-3.0-with-GCC-exception": Licence("GPL-3.0-only", "GCC-exception-3.1"),
    "StandardML-NJ": Licence("SMLNJ"),
    "wxWindows": Licence("LGPL-2.0-or-later", "WxWindows-exception-3.1"),
}
SUCCESSORS = {**_GNU, **_OTHERS}


def replaced(node: Node) -> Node:
    """Return an expression with current identifiers in place of deprecated ones; the exception of a term stays."""
    if isinstance(node, All):
        return all_of(map(replaced, node.terms))
    if isinstance(node, Any):
        return any_of(map(replaced, node.terms))
    successor = SUCCESSORS.get(node.id)
    if successor is None or (node.exception and successor.exception):
        return node
    return Licence(successor.id, node.exception or successor.exception)
