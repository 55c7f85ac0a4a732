# SPDX-License-Identifier: MIT
"""The names of the files that lie beside a product file and count when they are there."""

from __future__ import annotations

POLICY_FILE = "pycontainer.policy.yaml"
"""Which licences may ship, and what is offered with them (docs/compliance.md)."""
CURATION_FILE = "pycontainer.curations.yaml"
"""Licences that somebody looked up by hand (docs/sbom.md)."""
SOURCES_FILE = "pycontainer.sources.json"
"""The hashes of the sources of what ships (docs/compliance.md)."""
