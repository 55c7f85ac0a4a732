# SPDX-License-Identifier: MIT
"""A verdict in the forms that other programs read."""

import json
from xml.etree import ElementTree

from orchestrator.compliance import CHECKS, Surroundings, judge
from orchestrator.compliance.reports import junit, sarif, to_data

from .sample import bill_of, layer_graph, named


def damaged() -> dict[str, object]:
    graph = layer_graph()
    named(graph, "web-tool")["name"] = ""
    named(graph, "web-libodd")["software_packageVersion"] = ""
    named(graph, "web-libodd")["name"] = "lib<odd>&\x01"
    return graph


def test_json_has_every_check_score_and_finding() -> None:
    data = to_data("x", judge(bill_of(damaged()), Surroundings()))
    assert [entry["id"] for entry in data["checks"]] == list(CHECKS)
    assert not data["passed"]
    outcomes = {entry["id"]: entry["outcome"] for entry in data["checks"]}
    assert (outcomes["C1"], outcomes["C2"], outcomes["A1"], outcomes["D10"]) == (
        "failed",
        "failed",
        "skipped",
        "passed",
    )
    assert {entry["check"] for entry in data["findings"]} >= {"C1", "C2"}
    json.dumps(data)


def test_junit_has_a_case_a_check_and_survives_odd_names() -> None:
    root = ElementTree.fromstring(junit({"a<b>.json": judge(bill_of(damaged()), Surroundings())}))
    suite = root[0]
    assert suite.attrib["name"] == "a<b>.json"
    assert int(suite.attrib["tests"]) == len(suite) == len(CHECKS)
    failed = [case.attrib["name"].split(":")[0] for case in suite if case.find("failure") is not None]
    assert {"C1", "C2"} <= set(failed)
    assert int(suite.attrib["failures"]) == len(failed)
    skipped = [case for case in suite if case.find("skipped") is not None]
    assert int(suite.attrib["skipped"]) == len(skipped) > 0


def test_sarif_names_rule_level_and_place_and_suppresses_waivers() -> None:
    verdict = judge(bill_of(damaged()), Surroundings(), {("C2", "*"): "Ada: known"})
    log = sarif({"x.json": verdict})
    run = log["runs"][0]
    assert log["version"] == "2.1.0"
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x.json"
    suppressed = [result for result in run["results"] if "suppressions" in result]
    assert {result["ruleId"] for result in suppressed} == {"C2"}
