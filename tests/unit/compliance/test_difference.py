# SPDX-License-Identifier: MIT
"""What changed from one release to the next."""

import copy
from typing import Any

from orchestrator.compliance.difference import Change, Difference, Single, compare

from .sample import BASE, Graph, bill_of, component, expression, image_graph, named, note, related, relation


def against(after: Graph) -> Difference:
    return compare(bill_of(image_graph()), bill_of(after))


def with_version(graph: Graph, name: str, version: str) -> Graph:
    item = named(graph, name)
    item["software_packageVersion"] = version
    item["software_packageUrl"] = item["software_packageUrl"].replace("1.2-3", version)
    return graph


def test_nothing_changed_is_an_empty_difference() -> None:
    assert against(image_graph()).empty


def test_order_does_not_matter() -> None:
    graph = image_graph()
    graph["@graph"].reverse()
    assert against(graph).empty


def test_versions_go_up_and_down_in_debians_order() -> None:
    up = against(with_version(image_graph(), "web-tool", "1.10-1"))
    assert up.upgraded == [Change("web", "tool", "1.2-3", "1.10-1")]
    down = against(with_version(image_graph(), "web-tool", "1.2-3~rc1"))
    assert down.downgraded == [Change("web", "tool", "1.2-3", "1.2-3~rc1")]
    assert not (up.added or up.removed or down.added or down.removed)


def test_what_came_and_went_is_named_with_its_licence() -> None:
    graph = image_graph()
    graph["@graph"] += component("fresh", "web", "gpl")
    graph["@graph"].append(relation("contains", "web", "web-fresh", completeness="complete"))
    found = against(graph)
    assert found.added == [Single("web", "fresh", "1.2-3", "GPL-2.0-or-later")]
    assert found.copyleft == found.added
    back = compare(bill_of(graph), bill_of(image_graph()))
    assert (back.removed, back.copyleft) == (found.added, [])


def test_what_went_to_another_layer_moved() -> None:
    graph = image_graph()
    related(graph, "contains", "web")["to"].remove(BASE + "web-tool")
    related(graph, "contains", "rootfs")["to"].append(BASE + "web-tool")
    found = against(with_version(graph, "web-tool", "1.3"))
    assert found.moved == [Change("rootfs", "tool", "web", "rootfs")]
    assert found.upgraded == [Change("rootfs", "tool", "1.2-3", "1.3")]
    assert not found.added
    assert not found.removed


def test_a_changed_licence_and_new_copyleft_are_shown() -> None:
    graph = image_graph()
    graph["@graph"].append(expression("both", "MIT AND AGPL-3.0-only"))
    for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
        related(graph, kind, "web-libodd")["to"] = [BASE + "both"]
    found = against(graph)
    assert found.licences == [Change("web", "libodd", "MIT", "MIT AND AGPL-3.0-only")]
    assert found.copyleft == [Single("web", "libodd", "1.2-3", "AGPL-3.0-only")]


def test_the_same_version_with_other_bytes_was_rebuilt() -> None:
    graph = image_graph()
    named(graph, "web-tool-deb")["verifiedUsing"][0]["hashValue"] = "0" * 64
    assert [change.name for change in against(graph).rebuilt] == ["tool"]


def test_unowned_files_are_compared_by_layer() -> None:
    graph = image_graph()
    note(graph, "web", census={"files": 100, "owned": 95, "explained": 2, "unowned": 3})
    assert against(graph).unowned == [Change("web", "web", "0", "3")]


def test_a_layer_may_come_and_go() -> None:
    graph: dict[str, Any] = copy.deepcopy(image_graph())
    related(graph, "contains", "image")["to"].remove(BASE + "rootfs")
    named(graph, "facts-rootfs")["subject"] = BASE + "web-tool"
    note(graph, "rootfs", kind=None)
    assert Change("rootfs", "rootfs", "1.0", "") in against(graph).layers
