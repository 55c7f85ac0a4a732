# SPDX-License-Identifier: MIT
"""The category of a licence, for policies and charts, from the ScanCode LicenseDB that license-expression carries."""

from __future__ import annotations

import functools
from typing import Literal

from license_expression import get_license_index

from orchestrator.compliance.bill import Bill
from orchestrator.compliance.expressions import copyleft
from orchestrator.sbom.expression import Licence, is_copyleft

Category = Literal["permissive", "weak-copyleft", "copyleft", "public-domain", "proprietary", "unknown"]
CATEGORIES: tuple[Category, ...] = (
    "copyleft", "weak-copyleft", "permissive", "public-domain", "proprietary", "unknown",
)  # fmt: skip
"""Those that ask for most stand first: the category of a component is the first that any of its licences has."""

_SCANCODE: dict[str, Category] = {
    "Permissive": "permissive",
    "CLA": "permissive",
    "Patent License": "permissive",
    "Copyleft Limited": "weak-copyleft",
    "Copyleft": "copyleft",
    "Public Domain": "public-domain",
    "Commercial": "proprietary",
    "Proprietary Free": "proprietary",
    "Free Restricted": "proprietary",
    "Source-available": "proprietary",
}


@functools.cache
def _index() -> dict[str, Category]:
    found: dict[str, Category] = {}
    for entry in get_license_index():
        category = _SCANCODE.get(entry.get("category", ""), "unknown")
        for key in (entry.get("spdx_license_key"), *entry.get("other_spdx_license_keys", ())):
            if key:
                found.setdefault(key, category)
    return found


def category_of(bill: Bill, licence: Licence) -> Category:
    """Return a licence's category; what is copyleft by our own list or by its text never counts as less.

    An exception that only widens what one may do leaves the category of the licence as it is.
    """
    name = licence.id
    known = _index().get(name)
    if known is None and name.startswith("LicenseRef-scancode-"):
        # Minted ids end in the text's digest: the key is what stands before it.
        known = _index().get(name.rpartition("-")[0])
    if not name.startswith("LicenseRef-"):
        if known is None:
            return "copyleft" if is_copyleft(licence) else "unknown"
        return "weak-copyleft" if is_copyleft(licence) and known in ("permissive", "public-domain") else known
    if copyleft(bill, licence) and known not in ("copyleft", "proprietary"):
        return "copyleft"
    return known or "unknown"


def worst(categories: set[Category]) -> Category:
    """Return the category that asks for most; `unknown` for none."""
    return next((each for each in CATEGORIES if each in categories), "unknown")
