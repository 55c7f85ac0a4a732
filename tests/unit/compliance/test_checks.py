# SPDX-License-Identifier: MIT
"""Every way to damage a good document is caught by a check with a name."""

from collections.abc import Callable

import pytest

from orchestrator.compliance.context import Offer, Surroundings
from orchestrator.compliance.findings import CHECKS
from orchestrator.compliance.judge import Verdict, judge
from orchestrator.compliance.read import read_bill
from orchestrator.errors import VerificationError

from .sample import (
    BASE,
    EPOCH,
    REF,
    Graph,
    bill_of,
    component,
    element,
    encoded,
    expression,
    image_graph,
    layer_graph,
    named,
    note,
    related,
    relation,
    rootfs_graph,
)

OFFER = Offer(contact="source@example.com", until="2027-01-01")
NOTICE = "\n".join(f"{name} 1.2-3" for name in ("tool", "libodd", "blob", "init"))
SAID = Surroundings(epoch=EPOCH, offer=OFFER, texts=frozenset({"MIT", "GPL-2.0-or-later"}), notice=NOTICE)


def surrounded() -> Surroundings:
    """Everything that an aggregate can be held against."""
    bill = bill_of(image_graph())
    root = bill.root
    assert root is not None
    return Surroundings(
        epoch=EPOCH,
        offer=OFFER,
        texts=frozenset({"MIT", "GPL-2.0-or-later"}),
        notice=NOTICE,
        layers={"web": bill_of(layer_graph()), "rootfs": bill_of(rootfs_graph())},
        image=dict(root.hashes),
        blobs=frozenset("sha256:" + layer.hash_of["sha256"] for layer in bill.layers),
        signed=lambda: ["key"],
        original=b"same",
        rebuilt=b"same",
    )


def test_a_good_document_of_a_layer_passes_every_check_that_can_look() -> None:
    verdict = judge(bill_of(layer_graph()), SAID)
    assert verdict.findings == ()
    assert set(verdict.skipped) == {"L5", "A1", "A2", "A3", "A4", "A5"}


def test_a_good_document_of_an_image_passes_every_check() -> None:
    verdict = judge(bill_of(image_graph()), surrounded())
    assert verdict.findings == ()
    assert verdict.skipped == {}
    assert {check for check in CHECKS if verdict.outcome(check) != "passed"} == {"O4"}  # no firmware in it


def append(*items: object) -> Callable[[Graph], object]:
    return lambda graph: graph["@graph"].extend(items)


def drop(name: str, field: str) -> Callable[[Graph], object]:
    return lambda graph: named(graph, name).pop(field)


def change(key: str, /, **values: object) -> Callable[[Graph], object]:
    return lambda graph: named(graph, key).update(values)


def annotate(subject: str, /, **values: object) -> Callable[[Graph], object]:
    return lambda graph: note(graph, subject, **values)


def remove(name: str) -> Callable[[Graph], object]:
    return lambda graph: graph["@graph"].remove(named(graph, name))


def unrelate(kind: str, source: str) -> Callable[[Graph], object]:
    return lambda graph: graph["@graph"].remove(related(graph, kind, source))


def info(graph: Graph) -> dict[str, object]:
    item = next(item for item in graph["@graph"] if item["type"] == "CreationInfo")
    assert isinstance(item, dict)
    return item


def licensed(text: str) -> Callable[[Graph], object]:
    """Give the component `tool` another expression, declared and concluded."""

    def damage(graph: Graph) -> None:
        graph["@graph"].append(expression("odd", text))
        for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
            related(graph, kind, "web-tool")["to"] = [BASE + "odd"]

    return damage


def unlicensed(graph: Graph) -> None:
    for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
        graph["@graph"].remove(related(graph, kind, "web-tool"))


def orphan(graph: Graph) -> None:
    related(graph, "contains", "web")["to"].remove(BASE + "web-blob")


def vulnerable(graph: Graph) -> None:
    graph["@graph"].append(element("security_Vulnerability", "cve", name="CVE-2026-1"))


def second_root(graph: Graph) -> None:
    named(graph, "sbom")["rootElement"].append(BASE + "web-tool")


def short_hash(graph: Graph) -> None:
    named(graph, "web-tool-deb")["verifiedUsing"][1]["hashValue"] = "ab"


def second_text(graph: Graph) -> None:
    graph["@graph"].append(
        element("simplelicensing_SimpleLicensingText", "other", name=REF, simplelicensing_licenseText="something else")
    )
    graph["@graph"].append(expression("twice", REF, **{REF.replace("-", "_"): "other"}))


def context(graph: Graph) -> None:
    graph["@context"] = "https://spdx.org/rdf/3.0.0/spdx-context.jsonld"


def data_licence(graph: Graph) -> None:
    named(graph, "document")["dataLicense"] = BASE + "mit"


def list_version(graph: Graph) -> None:
    named(graph, "mit")["simplelicensing_licenseListVersion"] = "3.21.0"


def concluded(graph: Graph) -> None:
    related(graph, "hasConcludedLicense", "web-tool")["to"] = [BASE + "mit"]


def no_contact(graph: Graph) -> None:
    named(graph, "team").pop("externalIdentifier")


DAMAGES: dict[str, tuple[str, Callable[[Graph], object]]] = {
    "another context": ("D1", context),
    "a property that does not exist": ("D1", change("web-tool", software_licence="MIT")),
    "an element without creation info": ("D1", drop("web-tool", "creationInfo")),
    "an unknown purpose": ("D1", change("web-tool", software_primaryPurpose="gadget")),
    "a list where a text belongs": ("D1", change("web-tool", software_packageVersion=["1"])),
    "an unknown relationship": ("D1", append({**relation("contains", "web", "web-tool"), "relationshipType": "has"})),
    "another version of the specification": ("D1", lambda graph: info(graph).update(specVersion="3.0.0")),
    "two documents": ("D1", append(element("SpdxDocument", "again", name="x", rootElement=[BASE + "web"]))),
    "no document name": ("D1", drop("document", "name")),
    "a URI with a fragment": ("D2", change("document", spdxId=BASE + "x")),
    "no tool": ("D3", lambda graph: info(graph).pop("createdUsing")),
    "a tool without version": ("D3", change("tool", name="pycontainer")),
    "no contact of the maker": ("D3", drop("maker", "externalIdentifier")),
    "another maker than an organisation": ("D3", change("maker", type="Person")),
    "a local time": ("D4", lambda graph: info(graph).update(created="2023-11-14T22:13:20+01:00")),
    "another time than the sources'": ("D4", lambda graph: info(graph).update(created="2024-11-14T22:13:20Z")),
    "another type of SBOM": ("D5", change("sbom", software_sbomType=["source"])),
    "no type of SBOM": ("D5", drop("sbom", "software_sbomType")),
    "another data licence": ("D6", data_licence),
    "another licence list": ("D7", list_version),
    "two roots": ("D8", second_root),
    "no root": ("D8", drop("sbom", "rootElement")),
    "a root without hash": ("D8", drop("web", "verifiedUsing")),
    "vulnerability data": ("D9", vulnerable),
    "a dangling target": ("D10", append(relation("dependsOn", "web-tool", "nothing"))),
    "a dangling source": ("D10", append(relation("dependsOn", "nothing", "web-tool"))),
    "a dangling root": ("D10", change("sbom", rootElement=[BASE + "nothing"])),
    "a dangling supplier": ("D10", change("web-tool", suppliedBy=BASE + "nobody")),
    "a dangling creation info": ("D10", change("web-tool", creationInfo="_:other")),
    "a double id": ("D10", lambda graph: graph["@graph"].append(dict(named(graph, "web-tool")))),
    "an id that is no URI": ("D10", change("web-tool", spdxId="tool")),
    "an orphan": ("D11", orphan),
    "a layer without origin": ("L1", drop("web", "software_sourceInfo")),
    "a layer without kind": ("L1", annotate("web", kind="thing", architecture="amd64")),
    "no completeness": ("L2", lambda graph: related(graph, "contains", "web").pop("completeness")),
    "no census": ("L3", annotate("web", census=None)),
    "a census that does not add up": ("L3", annotate("web", census={"files": 9, "owned": 3, "explained": 2,
                                                                  "unowned": 1})),
    "many unowned files": ("L3", annotate("web", census={"files": 9, "owned": 3, "explained": 2, "unowned": 4})),
    "no word of removed files": ("L4", annotate("web", removed=None)),
    "no name": ("C1", change("web-tool", name="")),
    "no version": ("C2", drop("web-tool", "software_packageVersion")),
    "no supplier": ("C3", drop("web-tool", "suppliedBy")),
    "a supplier without contact": ("C3", no_contact),
    "a supplier that is a tool": ("C3", change("web-tool", suppliedBy=BASE + "tool")),
    "no package URL": ("C4", drop("web-tool", "software_packageUrl")),
    "a package URL without architecture": ("C4", change("web-tool", software_packageUrl="pkg:deb/debian/tool@1")),
    "no such package URL": ("C4", change("web-tool", software_packageUrl="tool@1")),
    "no file": ("C5", unrelate("hasDistributionArtifact", "web-tool")),
    "a short hash": ("C5", short_hash),
    "one hash only": ("C5", lambda graph: named(graph, "web-tool-deb")["verifiedUsing"].pop()),
    "no traits": ("C6", lambda graph: (note(graph, "web-tool", executable=None, archive=None, structured=None),
                                       named(graph, "web-tool").pop("software_additionalPurpose"))),
    "no source": ("C7", lambda graph: (unrelate("generates", "web-tool-source")(graph),
                                       note(graph, "web-tool", source=None))),
    "a source without hash": ("C7", drop("web-tool-source", "verifiedUsing")),
    "a source without address": ("C7", drop("web-tool-source", "software_downloadLocation")),
    "no declared licence": ("C8", unrelate("hasDeclaredLicense", "web-tool")),
    "no concluded licence": ("C9", unrelate("hasConcludedLicense", "web-tool")),
    "no holders": ("C10", drop("web-tool", "software_copyrightText")),
    "no completeness of dependencies": ("C11", annotate("web-libodd", dependencies="unknown")),
    "no evidence": ("C12", annotate("web-tool", evidence=None, tier=None)),
    "no linking": ("C13", annotate("web-tool", linking=None)),
    "an unknown linking": ("C13", annotate("web-tool", linking="sometimes")),
    "a garbage expression": ("X1", licensed("MIT AND (")),
    "lower-case operators": ("X1", licensed("MIT and ISC")),
    "an unlisted licence": ("X2", licensed("GPL-9.0-only")),
    "a deprecated licence": ("X2", licensed("GPL-2.0+")),
    "a LicenseRef without text": ("X3", licensed("LicenseRef-nowhere")),
    "an empty text": ("X3", change("vendor-text", simplelicensing_licenseText=" ")),
    "a text that is not the id's": ("X3", change("vendor-text", simplelicensing_licenseText="another text")),
    "an unknown licence": ("X4", unlicensed),
    "one id with two texts": ("X5", second_text),
    "a conclusion without a record": ("X6", concluded),
    "a licence that the notice has not": ("X7", licensed("Zlib")),
    "firmware that may not be passed on": ("O4", lambda graph: (unlicensed(graph), change(
        "web-tool", software_primaryPurpose="firmware")(graph))),
    "a component that the notice has not": ("O5", change("web-tool", name="other")),
}  # fmt: skip


def test_there_are_more_damages_than_the_twenty_five_that_were_asked_for() -> None:
    assert len(DAMAGES) >= 25
    assert {check for check, _ in DAMAGES.values()} <= set(CHECKS)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_caught_by_its_check(name: str) -> None:
    check, damage = DAMAGES[name]
    graph = layer_graph()
    damage(graph)
    verdict = judge(bill_of(graph), SAID)
    assert check in {finding.check for finding in verdict.findings}, verdict.findings


@pytest.mark.parametrize(
    ("until", "caught"), [("2026-11-13", True), ("2026-11-14", False), ("soon", True), ("2099-01-01", False)]
)
def test_an_offer_lasts_three_years_from_the_release(until: str, caught: bool) -> None:
    around = Surroundings(offer=Offer(contact="x@example.com", until=until))
    assert ("O2" in checks(judge(bill_of(layer_graph()), around))) == caught


def checks(verdict: Verdict) -> set[str]:
    return {finding.check for finding in verdict.findings}


def test_without_an_offer_the_sources_must_come_along() -> None:
    verdict = judge(bill_of(layer_graph()), Surroundings())
    assert [(each.check, each.severity) for each in verdict.findings] == [("O2", "warning")]


def test_a_source_bundle_must_hold_what_the_licences_ask_for() -> None:
    around = Surroundings(bundled=frozenset({("tool-src", "1.2-3")}), offer=OFFER)
    assert judge(bill_of(layer_graph()), around).findings == ()
    around = Surroundings(bundled=frozenset({("tool-src", "1.2-4")}), offer=OFFER)
    assert checks(judge(bill_of(layer_graph()), around)) == {"O1"}


def test_copyleft_without_a_source_is_an_error() -> None:
    graph = layer_graph()
    graph["@graph"].remove(related(graph, "generates", "web-tool-source"))
    graph["@graph"].remove(named(graph, "web-tool-source"))
    note(graph, "web-tool", source=None)
    assert "O1" in {each.check for each in judge(bill_of(graph), SAID).errors}


def test_version_three_in_a_locked_partition_is_flagged_until_settled() -> None:
    graph = layer_graph()
    licensed("GPL-3.0-or-later")(graph)
    flagged = [each for each in judge(bill_of(graph), Surroundings(offer=OFFER)).findings if each.check == "O3"]
    assert [(each.layer, each.severity) for each in flagged] == [("web", "warning")]
    settled = Surroundings(offer=OFFER, installation_information=True)
    assert "O3" not in checks(judge(bill_of(graph), settled))


IMAGE_DAMAGES: dict[str, tuple[str, Callable[[Graph], object]]] = {
    "an image without SHA-512": ("D8", lambda graph: named(graph, "image")["verifiedUsing"].pop()),
    "one instance in two layers": ("L5", lambda graph: related(graph, "contains", "rootfs")["to"].append(
        BASE + "web-libodd")),
    "one package of two sources": ("L5", annotate("rootfs-libodd", source={"name": "other", "version": "1"})),
    "a component too few": ("A1", lambda graph: related(graph, "contains", "web")["to"].remove(BASE + "web-blob")),
    "a component too many": ("A3", lambda graph: graph["@graph"].extend([
        *component("extra", "web", "mit"), relation("contains", "web", "web-extra", completeness="complete")])),
    "a layer too few": ("A1", lambda graph: (related(graph, "contains", "image")["to"].remove(BASE + "rootfs"),
                                             remove("facts-rootfs")(graph))),
    "another digest of a layer": ("A2", lambda graph: named(graph, "web")["verifiedUsing"][0].update(
        hashValue="0" * 64)),
    "another digest of the image": ("A2", lambda graph: named(graph, "image")["verifiedUsing"][0].update(
        hashValue="0" * 64)),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGE_DAMAGES)
def test_a_damage_of_the_whole_is_caught_by_its_check(name: str) -> None:
    check, damage = IMAGE_DAMAGES[name]
    graph = image_graph()
    damage(graph)
    verdict = judge(bill_of(graph), surrounded())
    assert check in checks(verdict), verdict.findings


def refuse() -> list[str]:
    raise VerificationError("0 valid signatures, 1 is required", "nobody signed")


def test_a_signature_and_a_rebuild_are_checked() -> None:
    bill = bill_of(image_graph())
    assert checks(judge(bill, Surroundings(offer=OFFER, signed=refuse))) == {"A4"}
    assert checks(judge(bill, Surroundings(offer=OFFER, original=b"1", rebuilt=b"2"))) == {"A5"}


def test_what_could_not_be_looked_at_has_not_passed() -> None:
    verdict = judge(bill_of(image_graph()), Surroundings(offer=OFFER))
    assert {check: verdict.outcome(check) for check in ("A1", "A2", "X7", "D1")} == {
        "A1": "skipped", "A2": "skipped", "X7": "skipped", "D1": "passed",
    }  # fmt: skip


def test_one_id_has_one_text_in_all_layers() -> None:
    other = layer_graph()
    named(other, "vendor-text")["simplelicensing_licenseText"] = "something else"
    around = Surroundings(offer=OFFER, layers={"web": bill_of(layer_graph()), "rootfs": bill_of(other)})
    assert "X5" in checks(judge(bill_of(image_graph()), around))


def test_a_waiver_accepts_a_finding_and_says_who() -> None:
    graph = layer_graph()
    unlicensed(graph)
    verdict = judge(bill_of(graph), SAID, {("X4", "tool"): "Ada: asked the vendor", ("C8", "*"): "Ada"})
    assert {each.check: each.waiver for each in verdict.findings} == {
        "X4": "Ada: asked the vendor", "C8": "Ada", "C9": "",
    }  # fmt: skip
    assert [each.check for each in verdict.errors] == ["C9"]


def test_scores_are_by_check_and_layer() -> None:
    graph = image_graph()
    graph["@graph"].remove(related(graph, "hasDeclaredLicense", "web-tool"))
    scores = {(score.check, score.layer): score for score in judge(bill_of(graph), SAID).scores}
    assert (scores["C8", "web"].examined, scores["C8", "web"].errors) == (3, 1)
    assert (scores["C8", "rootfs"].examined, scores["C8", "rootfs"].errors) == (2, 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"7", b'{"@graph": 7}', b'{"@graph": [7]}', b'{"@graph": [{"type": 7}]}', b'{"@graph": []',
     b'{"spdxVersion": "SPDX-2.3"}', b'{"a": 1, "a": 2, "@graph": []}', b"[" * 100_000, b"\xff"],
)  # fmt: skip
def test_bytes_that_are_no_document_are_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        read_bill(data, "x")


def test_an_empty_graph_is_a_document_that_fails() -> None:
    verdict = judge(read_bill(b'{"@context": "x", "@graph": []}'))
    assert {"D1", "D3", "D8"} <= {each.check for each in verdict.errors}


def test_reading_twice_gives_the_same_verdict() -> None:
    graph = layer_graph()
    unlicensed(graph)
    assert judge(read_bill(encoded(graph)), SAID) == judge(read_bill(encoded(graph)), SAID)
