# SPDX-License-Identifier: MIT
"""What an auditor does with documents: read them as foreign bytes, check, judge by a policy, compare, and pass on.

bill = read_bill(data)                          # SPDX 3.0.1 JSON-LD or SPDX 2.3 JSON
verdict = judge(bill, Surroundings(epoch=...))  # named checks D1 to A5, scores by check and layer
ruling = rule(bill, load_policy(path), today)   # allow, review, deny, with waivers
"""

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.context import Offer, Surroundings
from orchestrator.compliance.findings import CHECKS, Finding
from orchestrator.compliance.judge import Verdict, judge
from orchestrator.compliance.read import read_bill, read_file

__all__ = [
    "CHECKS",
    "Bill",
    "Element",
    "Finding",
    "Offer",
    "Surroundings",
    "Verdict",
    "judge",
    "read_bill",
    "read_file",
]
