# SPDX-License-Identifier: MIT
"""The JSON Schema of the product file, for editors that complete and check while one types.

python -m orchestrator.product.schema > docs/pycontainer.schema.json
"""

from __future__ import annotations

import json
import sys

import msgspec

from orchestrator.product.model import Product


def schema() -> str:
    """Return the schema as JSON text, draft 2020-12, made from the model."""
    value = msgspec.json.schema(Product)
    value["$defs"]["Product"]["oneOf"] = [{"required": ["machine"]}, {"required": ["machines"]}]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "PyContainer product file"}
    return json.dumps(head | value, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
