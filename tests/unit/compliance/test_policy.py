# SPDX-License-Identifier: MIT
"""Which licences may ship in which layers, and who accepted what nevertheless."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.compliance.categories import category_of
from orchestrator.compliance.policy import Policy, Ruling, load_policy, rule
from orchestrator.errors import ConfigError
from orchestrator.sbom.expression import Licence

from .sample import BASE, bill_of, expression, layer_graph, related

TODAY = date(2026, 11, 26)


def loaded(folder: Path, text: str) -> Policy:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path)


def rulings(policy: Policy, licence: str = "", today: date = TODAY) -> dict[str, Ruling]:
    graph = layer_graph()
    if licence:
        graph["@graph"].append(expression("odd", licence))
        for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
            related(graph, kind, "web-tool")["to"] = [BASE + "odd"]
    return {each.component.name: each for each in rule(bill_of(graph), policy, today)}


RULES = """
rules:
  - {deny: [AGPL-*, SSPL-1.0], reason: not in a closed product}
  - {deny: [GPL-3.0-*], layers: [app], reason: apps are locked}
  - {review: [GPL-*], reason: look at the source}
  - {allow: {category: [permissive, weak-copyleft], id: [LicenseRef-vendor-*]}}
prefer: [Apache-2.0, MIT]
"""


@pytest.mark.parametrize(
    ("licence", "outcome", "deciding"),
    [
        ("MIT", "allow", ("MIT",)),
        ("AGPL-3.0-only", "deny", ("AGPL-3.0-only",)),
        ("GPL-3.0-or-later", "deny", ("GPL-3.0-or-later",)),
        ("GPL-2.0-or-later", "review", ("GPL-2.0-or-later",)),
        ("MIT AND AGPL-3.0-only", "deny", ("AGPL-3.0-only",)),
        ("MIT OR AGPL-3.0-only", "allow", ("MIT",)),
        ("AGPL-3.0-only OR GPL-2.0-only", "review", ("GPL-2.0-only",)),
        ("(AGPL-3.0-only OR MIT) AND GPL-2.0-only", "review", ("GPL-2.0-only",)),
        ("MIT AND (AGPL-3.0-only OR SSPL-1.0)", "deny", ("AGPL-3.0-only",)),
        ("MPL-2.0", "allow", ("MPL-2.0",)),
        ("LicenseRef-unheard-of", "review", ("LicenseRef-unheard-of",)),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "review", ("GPL-2.0-only WITH Classpath-exception-2.0",)),
    ],
)
def test_a_choice_takes_the_best_and_a_sum_the_worst(
    licence: str, outcome: str, deciding: tuple[str, ...], tmp_path: Path
) -> None:
    found = rulings(loaded(tmp_path, RULES), licence)["tool"]
    assert (found.outcome, found.deciding) == (outcome, deciding)


def test_of_equal_choices_the_preferred_one_is_taken_and_named(tmp_path: Path) -> None:
    policy = loaded(tmp_path, RULES)
    assert rulings(policy, "BSD-2-Clause OR MIT OR Apache-2.0")["tool"].chosen == ("Apache-2.0",)
    assert rulings(policy, "ISC OR BSD-2-Clause")["tool"].chosen == ("ISC",)
    assert rulings(policy, "GPL-2.0-only OR ISC")["tool"].chosen == ("ISC",)  # allowed before reviewed


def test_a_rule_may_be_for_kinds_of_layers_only(tmp_path: Path) -> None:
    policy = loaded(tmp_path, RULES.replace("layers: [app]", "layers: [bsp]"))
    assert rulings(policy, "GPL-3.0-only")["tool"].outcome == "review"


def test_what_is_unknown_is_denied_and_without_rules_all_is_reviewed() -> None:
    graph = layer_graph()
    for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
        graph["@graph"].remove(related(graph, kind, "web-tool"))
    found = {each.component.name: each for each in rule(bill_of(graph), Policy(), TODAY)}
    assert (found["tool"].outcome, found["tool"].licence) == ("deny", "NOASSERTION")
    assert found["libodd"].outcome == "review"


WAIVER = """
waivers:
  - component: tool
    licence: AGPL-*
    owner: Ada <ada@example.org>
    reason: used on the bench only
    expires: 2027-01-31
"""


def test_a_waiver_accepts_until_its_day_and_says_who(tmp_path: Path) -> None:
    policy = loaded(tmp_path, RULES + WAIVER)
    found = rulings(policy, "AGPL-3.0-only")["tool"]
    assert (found.outcome, found.denied) == ("deny", False)
    assert found.waiver == "Ada <ada@example.org>: used on the bench only (until 2027-01-31)"
    assert not rulings(policy, "AGPL-3.0-only", date(2027, 1, 31))["tool"].denied
    late = rulings(policy, "AGPL-3.0-only", date(2027, 2, 1))["tool"]
    assert (late.denied, "2027-01-31" in late.expired) == (True, True)


def test_a_waiver_covers_its_licence_and_no_other(tmp_path: Path) -> None:
    policy = loaded(tmp_path, RULES + WAIVER)
    assert rulings(policy, "AGPL-3.0-only AND SSPL-1.0")["tool"].denied
    assert rulings(policy, "SSPL-1.0")["tool"].denied


def test_a_waiver_of_a_check_is_for_the_checks(tmp_path: Path) -> None:
    policy = loaded(tmp_path, RULES + WAIVER.replace("licence: AGPL-*", "check: X4"))
    assert rulings(policy, "AGPL-3.0-only")["tool"].denied
    assert list(policy.check_waivers(TODAY)) == [("X4", "tool")]
    assert policy.check_waivers(date(2027, 2, 1)) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [{}]", "exactly one of allow, review and deny"),
        ("rules: [{allow: [MIT], deny: [MIT]}]", "exactly one"),
        ("rules: [{alow: [MIT]}]", "did you mean 'allow'"),
        ("rules: [{allow: {category: [nice]}}]", "nice"),
        ("default: maybe", "maybe"),
        ("waivers: [{component: x, owner: a, reason: b}]", "expires"),
        ("waivers: [{component: x, owner: a, reason: b, expires: soon}]", "expires"),
        ("- a", "Expected"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert message in str(caught.value)


def test_no_file_is_the_default_policy(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "none.yaml") == Policy()


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("MIT", "permissive"), ("GPL-2.0-only", "copyleft"), ("LGPL-2.1-or-later", "weak-copyleft"),
        ("MPL-2.0", "weak-copyleft"), ("CC0-1.0", "public-domain"), ("AGPL-3.0-or-later", "copyleft"),
        ("LicenseRef-scancode-public-domain-0123456789abcdef", "public-domain"),
        ("LicenseRef-scancode-proprietary-license-0123456789abcdef", "proprietary"), ("LicenseRef-x", "unknown"),
        ("LicenseRef-my-gpl-3", "copyleft"),
    ],
)  # fmt: skip
def test_every_licence_has_a_category(name: str, category: str) -> None:
    assert category_of(bill_of(layer_graph()), Licence(name)) == category
