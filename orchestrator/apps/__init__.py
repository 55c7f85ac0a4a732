# SPDX-License-Identifier: MIT
"""The layers of a product as a user handles them: added, removed, listed, imported from a compose file, looked at."""
