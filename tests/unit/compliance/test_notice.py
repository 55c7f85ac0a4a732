# SPDX-License-Identifier: MIT
"""The notice: everyone named, every text once, the same bytes every time."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.compliance import Surroundings, judge, library
from orchestrator.compliance.context import Offer
from orchestrator.compliance.notice import as_html, as_text, build, listed_texts
from orchestrator.compliance.sources import sources, written_offer
from orchestrator.errors import VerificationError
from orchestrator.sbom.expression import Licence
from orchestrator.sbom.texts import recognise

from .sample import BASE, REF, TEXT, bill_of, encoded, expression, image_graph, named, note, related

FILE = "Tool is by Ada.\n\nThe Beerware text: <buy a beer> & enjoy.\n"
DIGEST = "sha256:" + hashlib.sha256(FILE.encode()).hexdigest()


def with_beer() -> dict[str, object]:
    graph = image_graph()
    graph["@graph"].append(expression("beer", "Beerware AND GPL-2.0-or-later"))
    for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
        related(graph, kind, "web-tool")["to"] = [BASE + "beer"]
    note(graph, "web-tool", evidence_digest=DIGEST)
    return graph


def test_each_component_of_each_layer_is_named_and_each_text_stands_once() -> None:
    text = as_text(build(bill_of(image_graph())))
    lines = text.splitlines()
    assert lines.count("libodd 1.2-3") == 2  # in two layers
    assert {"LAYER web (3 components)", "LAYER rootfs (2 components)"} <= set(lines)
    assert text.count(TEXT) == 1
    assert lines.count("LICENCE TEXT GPL-2.0") == lines.count("LICENCE TEXT MIT") == 1
    assert "    2020 Ada Example" in lines


def test_one_layer_may_have_its_own_notice() -> None:
    text = as_text(build(bill_of(image_graph()), layer="rootfs"))
    assert "init 1.2-3" in text
    assert "tool 1.2-3" not in text
    assert TEXT not in text


def test_a_text_that_is_not_ours_comes_from_the_copyright_file_or_is_missing() -> None:
    bill = bill_of(with_beer())
    assert build(bill).missing == (("Beerware", "tool"),)
    notice = build(bill, {DIGEST: FILE, "sha256:" + "0" * 64: "of nobody"})
    assert notice.missing == ()
    text = as_text(notice)
    assert FILE.strip() in text
    assert "of nobody" not in text
    assert "of tool 1.2-3" in text.splitlines()


def test_checks_see_what_the_notice_has_and_has_not() -> None:
    bill = bill_of(with_beer())
    offer = Offer(contact="x@y", until="2030-01-01")
    for files, expected in (({}, {"X7"}), ({DIGEST: FILE}, set())):
        notice = build(bill, files)
        around = Surroundings(texts=listed_texts(notice), notice=as_text(notice), offer=offer)
        assert {each.check for each in judge(bill, around).findings} == expected


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids.add(values.get("id") or "")
        if tag == "a":
            self.links.add((values.get("href") or "").removeprefix("#"))
        self.fetched += [values[name] or "" for name in ("src", "srcset", "data") if name in values]


def test_the_page_is_self_contained_and_its_links_lead_somewhere() -> None:
    page = Page()
    html = as_html(build(bill_of(with_beer()), {DIGEST: FILE}))
    page.feed(html)
    assert page.links
    assert page.links <= page.ids
    assert page.fetched == []
    assert "&lt;buy a beer&gt; &amp; enjoy" in html
    assert REF in html


def test_the_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    document = tmp_path / "x.json"
    document.write_bytes(encoded(image_graph()))
    code = (
        "import sys, hashlib\nfrom pathlib import Path\n"
        "from orchestrator.compliance import read_file\n"
        "from orchestrator.compliance.notice import as_html, as_text, build\n"
        "made = build(read_file(Path(sys.argv[1])))\n"
        "print(hashlib.sha256((as_text(made) + as_html(made)).encode()).hexdigest())\n"
    )
    root = Path(__file__).parents[3]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, document],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(outputs) == 1


def test_every_text_that_comes_with_the_program_is_the_licence_of_its_name() -> None:
    assert len(library.known()) >= 15
    for name in sorted(library.known()):
        reading = recognise(library.text(name))
        assert reading.complete, name
        assert {library.name_of(licence) for licence in reading.licences} == {name}
    assert library.name_of(Licence("GFDL-1.3-no-invariants-or-later")) == "GFDL-1.3"


def test_copyright_files_are_known_by_digest(tmp_path: Path) -> None:
    path = tmp_path / "copyright.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("tool/copyright")
        member.size = len(FILE)
        archive.addfile(member, io.BytesIO(FILE.encode()))
    assert library.copyright_files([path]) == {DIGEST: FILE}
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(VerificationError):
        library.copyright_files([path])


def test_sources_are_listed_with_what_they_became_and_whether_they_are_owed() -> None:
    found = {(source.layer, source.name): source for source in sources(bill_of(image_graph()))}
    assert set(found) == {("web", "tool-src"), ("web", "libodd-src"), ("web", "blob-src"), ("rootfs", "libodd-src"),
                          ("rootfs", "init-src")}  # fmt: skip
    tool = found["web", "tool-src"]
    assert (tool.owed, tool.version, tool.components) == (True, "1.2-3", ("tool 1.2-3",))
    assert tool.uri.startswith("https://")
    assert dict(tool.hashes)["sha256"]
    assert (tool.kind, tool.distro) == ("deb", "debian-13")
    assert not found["web", "libodd-src"].owed


def test_what_is_no_package_itself_has_the_ecosystem_of_its_source() -> None:
    graph = image_graph()
    named(graph, "web-tool")["software_packageUrl"] = "pkg:generic/tool@1.2-3"
    source = named(graph, "web-tool-source")
    source["software_packageUrl"] = "pkg:deb/debian/tool-src@1.2-3?arch=source&distro=debian-13"
    source.pop("software_downloadLocation", None)
    (found,) = [each for each in sources(bill_of(graph)) if (each.layer, each.name) == ("web", "tool-src")]
    assert (found.kind, found.distro) == ("deb", "debian-13")


def test_a_component_without_source_is_listed_too() -> None:
    graph = image_graph()
    graph["@graph"].remove(related(graph, "generates", "web-tool-source"))
    note(graph, "web-tool", source=None)
    found = [source for source in sources(bill_of(graph)) if not source.name]
    assert [(source.components, source.owed) for source in found] == [(("tool 1.2-3",), True)]


def test_the_written_offer_names_contact_and_end() -> None:
    text = written_offer("demo 1.0", Offer(contact="source@example.com", until="2030-01-01"), 2, 7)
    assert "source@example.com" in text
    assert "Until 2030-01-01" in text
