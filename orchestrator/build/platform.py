# SPDX-License-Identifier: MIT
"""What the product file says of the device as a whole: kernel arguments, when an update is kept, what it opens."""

from __future__ import annotations

from orchestrator.layers.audit import Relaxation
from orchestrator.product.model import Product
from orchestrator.product.units import parse_duration
from orchestrator.revision import Conditions, FileCondition, ReachCondition


def kernel_arguments(product: Product) -> list[str]:
    """Return the kernel arguments of the product, its control port among them."""
    control = [] if product.control is None else [f"pycontainer.control={product.control.port}"]
    return [*product.kernel.args, *control]


def product_relaxations(product: Product) -> list[Relaxation]:
    """Return what the product opens beside its containers."""
    if product.control is None:
        return []
    what = f"obeys every verb on the port {product.control.port}"
    return [Relaxation("control", what, product.control.reason, 15)]


def conditions(product: Product) -> Conditions:
    """Return when the device confirms the product's revision."""
    confirm = product.confirm
    return Conditions(
        timeout_ms=parse_duration(confirm.timeout),
        manual=confirm.manual,
        files=[FileCondition(layer=each.layer, volume=each.volume, path=each.path) for each in confirm.files],
        reachable=[ReachCondition(address=each.address, port=each.port) for each in confirm.reachable],
    )
