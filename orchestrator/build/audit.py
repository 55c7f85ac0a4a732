# SPDX-License-Identifier: MIT
"""The audit of a product: its containers and the device as a whole, each with what it gives up, and a grade."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.build.containers import run_options
from orchestrator.build.platform import product_relaxations
from orchestrator.layers.audit import Rating, Relaxation, grade, rate, rate_container
from orchestrator.product.model import Product

_ARGUMENTS = (
    (60, "starts another program than the supervisor", r"(rd)?init=.*|systemd\.debug_shell.*|rescue|single"),
    (20, "changes which security modules the kernel has", r"(apparmor|audit)=0|security=.*|lsm=.*"),
    (
        15,
        "gives up what stands against faults of the processor",
        r"mitigations=off|nospectre.*|nopti|(spectre_v2|mds|tsx_async_abort|l1tf|retbleed)=off",
    ),
    (
        10,
        "gives up a protection of the kernel",
        r"nokaslr|nosmap|nosmep|iomem=relaxed|init_on_alloc=0|module\.sig_enforce=0|lockdown=none",
    ),
    (5, "shows or opens more than a product needs", r"debug|earlycon.*|earlyprintk.*|kgdb.*|sysrq_always_enabled"),
    (3, "changes a setting of the kernel", r"sysctl\..*"),
)
"""What kernel arguments weigh, and why, by a pattern of the whole argument (Linux, admin-guide/kernel-parameters)."""


def product_rating(product: Product) -> Rating:
    """Return the rating of what is not any container's own: the control port, kernel arguments, what is required."""
    found, holds = product_relaxations(product), []
    for argument in product.kernel.args:
        for points, why, pattern in _ARGUMENTS:
            if re.fullmatch(pattern, argument):
                found.append(Relaxation("kernel", f"the kernel argument {argument}", why, points))
                break
    if product.apparmor is None:
        text = "runs on a kernel without AppArmor as well"
        found.append(Relaxation("apparmor", text, "the product file does not say 'apparmor: required'", 2))
    else:
        holds.append("runs on a kernel with AppArmor only")
    if product.control is None:
        holds.append("has no control port")
    if not any(each.key == "kernel" for each in found):
        holds.append("has no kernel argument that opens anything")
    return rate(found, holds)


@dataclass(frozen=True)
class Audit:
    """The ratings by layer, that of the product itself under None and first; `grade` is that of the weakest part."""

    ratings: dict[str | None, Rating]
    grade: str

    def below(self, least: str | None) -> bool:
        """Whether the grade is lower than `least`."""
        return least is not None and self.grade > least

    def to_data(self, least: str | None = None) -> dict[str, Any]:
        """Return the audit as plain values for JSON."""
        data = {
            "grade": self.grade,
            "layers": [msgspec.to_builtins(rating) | {"layer": name} for name, rating in self.ratings.items()],
            "relaxations": [
                {"layer": name, "what": each.what, "reason": each.reason, "points": each.points}
                for name, rating in self.ratings.items()
                for each in rating.found
            ],
        }
        return data | ({} if least is None else {"atLeast": least, "ok": not self.below(least)})


def audit_product(product: Product, root: Path) -> Audit:
    """Return the audit of a product whose file lies in `root`; nothing needs to be built."""
    ratings: dict[str | None, Rating] = {None: product_rating(product)}
    for name, layer in product.layers.items():
        ratings[name] = rate_container(run_options(name, layer, root))
    return Audit(ratings, grade(max(each.points for each in ratings.values())))
