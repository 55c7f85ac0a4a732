# SPDX-License-Identifier: GPL-2.0-only
"""The part of BitBake's `prserv` that the library needs: builds run without a package revision server."""
