# SPDX-License-Identifier: MIT
"""What every command returns, and the product that most of them are about; quick to import."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.build.workspace import Workspace, workspace
from orchestrator.product.load import find_product_file, load_product
from orchestrator.product.model import Product


@dataclass(frozen=True)
class Result:
    """What a command has to say: a screen for people, one object for machines, and its exit code."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0


Command = Callable[[Namespace], Result]


def loaded(options: Namespace) -> tuple[Product, Workspace]:
    """Return the product that the command line names, and its folders."""
    file = find_product_file(options.product)
    product = load_product(file)
    return product, workspace(file, product, getattr(options, "machine", None))


def one_machine(options: Namespace) -> tuple[Product, Workspace]:
    """Do as `loaded` does for what is done for one machine alone; tells which that is where the product has several."""
    product, place = loaded(options)
    tell_machine(product, place, getattr(options, "machine", None))
    return product, place


def tell_machine(product: Product, place: Workspace, asked: str | None) -> None:
    """Say on standard error which of several machines is meant, unless it was asked for."""
    if asked is None and len(product.machines) > 1:
        others = ", ".join(each for each in product.machines if each != place.machine)
        print(f"for {place.machine}, the first of the product's machines; --machine names another ({others})",
              file=sys.stderr)  # fmt: skip


def places(options: Namespace) -> tuple[Product, list[Workspace]]:
    """Return the product, and its folders for the machine that was asked for, or for each of its machines."""
    product, first = loaded(options)
    if getattr(options, "machine", None):
        return product, [first]
    return product, [workspace(first.product_file, product, each) for each in product.machines]
