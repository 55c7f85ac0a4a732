# SPDX-License-Identifier: MIT
"""The product file `pycontainer.yaml`: its words (`model`) and its reading (`load`)."""

from orchestrator.product.load import load_product
from orchestrator.product.model import Layer, Product

__all__ = ["Layer", "Product", "load_product"]
