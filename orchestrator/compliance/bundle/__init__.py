# SPDX-License-Identifier: MIT
"""The source bundle: every source that a licence asks for, fetched, verified and laid out by layer."""

from orchestrator.compliance.bundle.make import Bundle, Missing, bundled, make_bundle

__all__ = ["Bundle", "Missing", "bundled", "make_bundle"]
