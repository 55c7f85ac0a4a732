# SPDX-License-Identifier: MIT
"""What our own writers write, read back as foreign bytes."""

import contextlib
import copy
import datetime
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.compliance import Surroundings, judge, read_bill
from orchestrator.compliance.difference import compare
from orchestrator.compliance.duties import obligations
from orchestrator.compliance.notice import as_text, build
from orchestrator.errors import VerificationError
from orchestrator.sbom import layer_document, spdx3_bytes, spdx23_bytes
from orchestrator.sbom.curation import Curation, apply
from orchestrator.sbom.model import Document

from ..sbom.sample import EPOCH, PRODUCT, deployed
from .sample import image_graph


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return layer_document(deployed(tmp_path_factory.mktemp("in")), PRODUCT, EPOCH)


def test_both_formats_say_the_same_to_the_checks(document: Document) -> None:
    new, old = (judge(read_bill(data), Surroundings(epoch=EPOCH)) for data in
                (spdx3_bytes(document), spdx23_bytes(document)))  # fmt: skip

    def said(verdict: object) -> list[tuple[str, str, str]]:
        return sorted((each.check, each.severity, each.message) for each in verdict.findings)  # type: ignore[attr-defined]

    assert said(new) == said(old)
    assert set(old.skipped) - set(new.skipped) == {"D5"}
    assert not {each.check for each in new.findings if each.check.startswith(("D", "X"))}


def test_both_formats_have_the_same_components_and_licences(document: Document) -> None:
    bills = [read_bill(data) for data in (spdx3_bytes(document), spdx23_bytes(document))]
    assert as_text(build(bills[0])).replace(bills[0].name, "") == as_text(build(bills[1])).replace(bills[1].name, "")
    found = compare(*bills)
    assert found.empty, found
    duties = [[(each.component.name, each.duty) for each in obligations(bill)] for bill in bills]
    assert sorted(duties[0]) == sorted(duties[1])


@pytest.mark.parametrize("write", [spdx3_bytes, spdx23_bytes])
def test_a_persons_conclusion_travels_with_its_record(document: Document, write: object) -> None:
    tool = next(each for each in document.components if each.name == "tool")
    rule = Curation(
        purl="pkg:deb/debian/tool",
        concluded="MIT",
        author="Ada",
        date=datetime.date(2026, 11, 2),
        reason="read it",
        evidence=tool.licence.evidence_digest,
    )
    curated, _ = apply(document, [rule])
    bill = read_bill(write(curated))  # type: ignore[operator]
    component = next(each for each in bill.components if each.name == "tool")
    assert (component.declared, component.concluded) == ("GPL-2.0-or-later", "MIT")
    assert "X6" not in {each.check for each in judge(bill).findings}


PIECES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_put_in_place_of_a_value_is_judged_or_refused(data: st.DataObject) -> None:
    graph = copy.deepcopy(image_graph())
    item = graph["@graph"][data.draw(st.integers(0, len(graph["@graph"]) - 1))]
    key = data.draw(st.sampled_from(sorted(item)))
    if data.draw(st.booleans()):
        item[key] = data.draw(PIECES)
    else:
        del item[key]
    with contextlib.suppress(VerificationError):
        bill = read_bill(json.dumps(graph).encode())
        judge(bill, Surroundings(epoch=EPOCH))
        build(bill)
        list(obligations(bill))
        compare(bill, bill)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_put_in_place_of_a_value_of_the_older_format_is_judged_or_refused(
    document: Document, data: st.DataObject
) -> None:
    value = json.loads(spdx23_bytes(document))
    group = data.draw(st.sampled_from(["packages", "relationships", "hasExtractedLicensingInfos", "creationInfo", ""]))
    place = value[group] if group else value
    if isinstance(place, list):
        place = place[data.draw(st.integers(0, len(place) - 1))]
    key = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        place[key] = data.draw(PIECES)
    else:
        del place[key]
    with contextlib.suppress(VerificationError):
        bill = read_bill(json.dumps(value).encode())
        judge(bill, Surroundings(epoch=EPOCH))
        build(bill)
        list(obligations(bill))
        compare(bill, bill)


def test_a_strangers_document_of_one_thing_is_read_too() -> None:
    package = {"downloadLocation": "NOASSERTION", "versionInfo": "1", "licenseDeclared": "GPL-2.0-only"}
    value = {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "theirs",
        "dataLicense": "CC0-1.0",
        "documentNamespace": "https://example.org/theirs",
        "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: other-1.0"]},
        "packages": [
            {"SPDXID": "SPDXRef-root", "name": "image", **package},
            {"SPDXID": "SPDXRef-a", "name": "a", **package},
            {"SPDXID": "SPDXRef-b", "name": "b", **package},
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-root",
            },
            {"spdxElementId": "SPDXRef-root", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-a"},
            {"spdxElementId": "SPDXRef-a", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-b"},
        ],
    }
    bill = read_bill(json.dumps(value).encode())
    assert [each.name for each in bill.members("image")] == ["a", "b"]
    failed = {each.check for each in judge(bill).errors}
    assert {"D3", "D7", "L1", "L3", "C9", "O1"} <= failed
    assert "D11" not in failed
