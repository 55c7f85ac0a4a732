# SPDX-License-Identifier: MIT
"""Compose files as layers: each key of the Compose Specification is honoured, needless on a device, or refused by
name."""

from orchestrator.compose.importer import Import, Request, import_compose

__all__ = ["Import", "Request", "import_compose"]
