# SPDX-License-Identifier: MIT
"""The audit page: one file that tells everything, opens anywhere, and never runs what a document says."""

from html.parser import HTMLParser
from typing import Any

from orchestrator.compliance import Surroundings, judge
from orchestrator.compliance.policy import Policy, rule
from orchestrator.report import Relaxation, gather, page

from ..compliance.sample import bill_of, image_graph, layer_graph, named

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Collects ids, links, addresses and text, and sees that every element is closed where it belongs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.ids.add(values.get("id") or "")
        if tag == "a":
            self.links.add((values.get("href") or "").removeprefix("#"))
        self.fetched += [values[name] or "" for name in ("src", "srcset", "data") if name in values]
        assert not any(name.startswith("on") for name in values)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def made(graph: dict[str, Any] | None = None, **more: Any) -> str:
    bill = bill_of(graph or image_graph())
    from datetime import date

    rulings = [each for each in rule(bill, Policy(), date(2026, 1, 1)) if each.outcome != "allow"]
    facts = gather(bill, {"image.spdx3.json": judge(bill, Surroundings())}, title="demo 1.0", rulings=rulings, **more)
    return page(facts)


def test_the_page_is_well_formed_self_contained_and_its_links_lead_somewhere() -> None:
    found = Page(made())
    assert found.links and found.links <= found.ids
    assert found.fetched == []
    assert "script" not in found.tags
    assert "link" not in found.tags
    assert found.tags.count("svg") == 2


def test_the_page_tells_layers_components_obligations_and_findings() -> None:
    text = made(
        relaxations=[Relaxation("web", "shares the device's network", "it serves", "15")],
        signatures=[("revision", "signed by abc")],
        grades=[("web", "B")],
    )
    words = " ".join(Page(text).words)
    for expected in (
        "tool", "libodd-src 1.2-3", "GPL-2.0-or-later", "pass on the complete corresponding source",
        "shares the device's network", "signed by abc", "no written offer", "100.0 %", "Example Team",
    ):  # fmt: skip
        assert expected in words, expected


def test_what_documents_say_is_text_and_never_markup() -> None:
    graph = layer_graph()
    attack = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    for key in ("name", "software_packageVersion", "software_copyrightText"):
        named(graph, "web-tool")[key] = attack
    named(graph, "web")["name"] = attack
    named(graph, "team")["name"] = attack
    text = made(graph, relaxations=[Relaxation(attack, attack, attack)], signatures=[(attack, attack)])
    found = Page(text)
    assert not {"script", "img"} & set(found.tags)
    assert attack in "".join(found.words)


def test_the_same_facts_give_the_same_page() -> None:
    graph = image_graph()
    assert made(graph) == made(image_graph())


def test_a_release_without_anything_open_says_so() -> None:
    bill = bill_of(image_graph())
    text = page(gather(bill, {}, title="demo"))
    words = " ".join(Page(text).words)
    assert "Every check that could look passed." in words
    assert "Nothing is signed." in words
    assert "No container's confinement is relaxed." in words
