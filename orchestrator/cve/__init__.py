# SPDX-License-Identifier: MIT
"""Known vulnerabilities of what ships, from databases on disk; apart from the SBOM, which says only what there is.

databases = [load(path) for path in paths]      # Debian's security tracker, OSV files or archives
report = examine(bill, databases, load_vex(path) for path in ...)
openvex(report, ...)                             # OpenVEX 0.2.0
"""

from orchestrator.cve.databases import load
from orchestrator.cve.examine import Report, examine
from orchestrator.cve.model import Database, Finding, Package, Severity
from orchestrator.cve.vex import Statement, load_vex, openvex

__all__ = [
    "Database",
    "Finding",
    "Package",
    "Report",
    "Severity",
    "Statement",
    "examine",
    "load",
    "load_vex",
    "openvex",
]
