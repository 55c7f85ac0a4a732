# SPDX-License-Identifier: MIT
"""PyContainer's orchestrator: from what BitBake deployed and what the product file names to one signed revision."""

__version__ = "0.1.0"
