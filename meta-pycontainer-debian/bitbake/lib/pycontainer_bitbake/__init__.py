# SPDX-License-Identifier: MIT
"""Runs the BitBake library of the PyPI wheel bitbake-setup, which comes without its programs.

`home`, `environment`, `frames`, `outbox` and `events` are free of BitBake and MIT; the modules that import `bb`
(`client`, `server`, `worker`, `task`, `ui`, `report`) are GPL-2.0-only, like the library.
"""
