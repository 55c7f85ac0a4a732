# SPDX-License-Identifier: MIT
"""The severity of a CVSS vector. Source: CVSS v3.1 specification, sections 7.1 (equations) and 5 (rating)."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from orchestrator.cve.model import Severity

_WEIGHTS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def base_score(vector: str) -> float | None:
    """Return the base score of a CVSS v3.0 or v3.1 vector, or None for anything else."""
    head, _, rest = vector.partition("/")
    if head not in ("CVSS:3.0", "CVSS:3.1"):
        return None
    given = dict(part.partition(":")[::2] for part in rest.split("/"))
    try:
        scope = given["S"]
        weight = {name: _WEIGHTS[name][given[name]] for name in _WEIGHTS}
        privileges = _PRIVILEGES[scope][given["PR"]]
    except KeyError:
        return None
    lost = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 6.42 * lost if scope == "U" else 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * weight["AV"] * weight["AC"] * privileges * weight["UI"]
    whole = impact + exploitability if scope == "U" else 1.08 * (impact + exploitability)
    # The specification's Roundup works on five decimals, so that floating point gives the same everywhere.
    rounded = Decimal(str(round(min(whole, 10), 5))).quantize(Decimal("0.1"), rounding=ROUND_CEILING)
    return float(rounded)


def rating(score: float) -> Severity:
    """Return the qualitative rating of a base score."""
    for limit, word in ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low")):
        if score >= limit:
            return word  # type: ignore[return-value]
    return "negligible"
