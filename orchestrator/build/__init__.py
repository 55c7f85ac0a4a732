# SPDX-License-Identifier: MIT
"""From product file to image: kas and BitBake first, then the assembling steps, each skipped when nothing changed."""
