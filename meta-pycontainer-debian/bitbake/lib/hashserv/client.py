# SPDX-License-Identifier: GPL-2.0-only
"""Present because the library imports it; there is no hash equivalence client."""
