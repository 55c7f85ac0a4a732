# SPDX-License-Identifier: MIT
"""Layers: each input becomes a deterministic file system image and a complete OCI runtime configuration."""
