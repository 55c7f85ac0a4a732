# SPDX-License-Identifier: MIT
"""Machines as data: what `machines/*.toml` of the checkout say of each, and which base builds it."""
