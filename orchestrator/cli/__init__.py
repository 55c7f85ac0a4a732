# SPDX-License-Identifier: MIT
"""The command line: words and pictures only; what it does is in the other rooms."""
