# SPDX-License-Identifier: MIT
"""One page about a release for people who sign it off: layers, licences, obligations, findings, signatures."""

from orchestrator.report.facts import Facts, LayerRow, Relaxation, gather
from orchestrator.report.page import page

__all__ = ["Facts", "LayerRow", "Relaxation", "gather", "page"]
