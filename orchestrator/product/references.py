# SPDX-License-Identifier: MIT
"""What one part of a product says of another: each must be there, and able to do what is asked of it."""

from __future__ import annotations

from orchestrator.product.confinement import published_port
from orchestrator.product.fields import FieldError
from orchestrator.product.model import Layer, Product


def check_references(product: Product) -> None:
    """Check what one part says of another: the conditions' layers and volumes, and who has a port of the device."""
    for position, each in enumerate(product.confirm.files):
        path = ("confirm", "files", position)
        layer = product.layers.get(each.layer)
        if layer is None:
            raise FieldError((*path, "layer"), f"{each.layer} is not a layer of this product", "name one of its layers")
        volume = next((volume for volume in layer.volumes if volume.name == each.volume), None)
        if volume is None:
            reason = f"the layer {each.layer} has no volume {each.volume}"
            raise FieldError((*path, "volume"), reason, "name one of the layer's 'volumes'")
        if volume.kind != "revision":
            # In any other one the file may be there from the revision before.
            reason = f"the volume {each.volume} is kept from one revision to the next, and so is a file in it"
            raise FieldError((*path, "volume"), reason, "name a volume of 'kind: revision', which is empty at first")
    _check_waits(product)
    owners: dict[str, str] = {}
    for name, layer in product.layers.items():
        for port in layer.published:
            other = owners.setdefault(port.on_host, name)
            if other != name:
                reason = f"the port {port.on_host} of the device is published by {other} already"
                position = [published_port(text) for text in layer.ports].index(port)
                raise FieldError(("layers", name, "ports", position), reason, "give each layer ports of its own")


def _check_waits(product: Product) -> None:
    """Refuse to wait for what cannot come: the end of what always runs, the health of what is not asked."""
    for name, layer in product.layers.items():
        for position, each in enumerate(layer.predecessors):
            path = ("layers", name, "after", position)
            other = product.layers[each.layer]
            if each.condition == "completed" and other.restart.policy == "always":
                reason = f"{each.layer} is always started again, so its end never comes"
                raise FieldError(path, reason, f"give {each.layer} 'restart: {{policy: on-failure}}', or 'no'")
            if each.condition == "healthy" and (other.health == "none" or not _may_have_check(other)):
                reason = f"{each.layer} has no health check"
                raise FieldError(path, reason, f"give {each.layer} a 'health', or wait for it without a condition")


def _may_have_check(layer: Layer) -> bool:
    """Whether a layer has a check of its own, or comes from something that may bring one."""
    return layer.health is not None or bool(layer.source.image or layer.source.bitbake or layer.source.layer)
