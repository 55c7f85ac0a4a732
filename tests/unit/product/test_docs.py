# SPDX-License-Identifier: MIT
"""The page of the product file names every key that the model knows, and no key that it does not know."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from orchestrator.product.explain import field_names
from orchestrator.product.model import Layer, Product
from orchestrator.product.schema import schema

DOCS = Path(__file__).parents[3] / "docs"
PAGE = Path(__file__).parents[3] / "docs" / "product-file.md"


def test_every_key_of_the_model_is_on_the_page_and_the_other_way_round():
    known = set(field_names(Product)) | set(field_names(Layer))
    text = PAGE.read_text()
    examples = "\n".join(re.findall(r"```yaml(.*?)```", text, re.S))
    in_examples = set(re.findall(r"([a-zA-Z]+):(?=\s)", re.sub(r"#.*", "", examples)))
    in_tables = {word for row in re.findall(r"^\| (`[^|]*) \|", text, re.M) for word in re.findall(r"`(\w+)`", row)}
    mentioned = set(re.findall(r"`([a-zA-Z]+)`", text)) | in_examples
    assert known <= mentioned
    assert in_tables | in_examples - {"web"} <= known


def test_the_json_schema_is_that_of_the_model():
    assert (DOCS / "pycontainer.schema.json").read_text() == schema(), (
        "python -m orchestrator.product.schema > docs/..."
    )


def test_the_demo_satisfies_the_json_schema():
    value = yaml.safe_load((DOCS.parent / "examples" / "demo" / "pycontainer.yaml").read_text())
    jsonschema.Draft202012Validator(json.loads(schema())).validate(value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(schema())).validate(value | {"machine": "Not A Name"})
