# SPDX-License-Identifier: MIT
"""The checks, one module a family; each looks at a bill and what goes with it, in time linear to its size."""
