# SPDX-License-Identifier: MIT
"""An auditor goes through a release of the demo: its real documents, its image, its keys."""

import json
from pathlib import Path

from .conftest import Product, pycontainer


def test_every_check_of_the_demo_passes_and_its_image_is_what_the_documents_say(demo: Product, tmp_path: Path) -> None:
    attestation = tmp_path / "a.json"
    done = pycontainer("sbom", "attest", demo.folder, "-o", attestation, **demo.environment)
    assert done.code == 0, done.err
    done = pycontainer("sbom", "verify", demo.folder, "--attestation", attestation, "--json", **demo.environment)
    assert done.code == 0, done.err
    assert done.json["image"]
    done = pycontainer(
        "sbom", "check", demo.folder, "--json", "--rebuilt", demo.folder / "build" / "sbom", **demo.environment
    )
    assert done.code == 0, done.out[-3000:]
    image = next(each for each in done.json["documents"] if each["document"].startswith("demo-"))
    outcomes = {each["id"]: each["outcome"] for each in image["checks"]}
    families = {"D": 11, "L": 5, "X": 7}
    wanted = [f"{family}{number}" for family, count in families.items() for number in range(1, count + 1)]
    for check in (*wanted, "O1", "O2", "O5", "A1", "A2", "A3", "A5"):
        assert outcomes[check] == "passed", check


def test_the_demo_is_allowed_by_its_policy_and_its_notice_lacks_no_text(demo: Product, tmp_path: Path) -> None:
    done = pycontainer("sbom", "policy", demo.folder, "--json", **demo.environment)
    assert (done.code, done.json["counts"].get("deny", 0)) == (0, 0)
    done = pycontainer("sbom", "notice", demo.folder, "-o", tmp_path / "NOTICE", "--json", **demo.environment)
    assert (done.code, done.json["missing"]) == (0, [])
    assert "demo@example.org" in (tmp_path / "NOTICE").read_text()


def test_a_revision_in_the_store_carries_the_same_documents(demo: Product) -> None:
    folder, tag = demo.folder / "build" / "sbom", "candidate/qemu-amd64"
    done = pycontainer("sbom", "diff", folder, tag, "--product", demo.folder, "--json", **demo.environment)
    assert done.code == 0, done.err
    assert not any(done.json.values())


def test_a_curation_concludes_in_the_next_build_and_a_stale_one_does_not(sibling: Product) -> None:
    done = pycontainer("sbom", "show", "zlib1g", "--product", sibling.folder, "--json", **sibling.environment)
    digest = done.json["components"][0]["facts"]["evidencedigest"]
    record = "author: Ada, date: 2026-11-26, reason: read it"
    (sibling.folder / "pycontainer.curations.yaml").write_text(
        "curations:\n"
        f"- {{purl: pkg:deb/debian/zlib1g, evidence: '{digest}', concluded: Zlib AND MIT, {record}}}\n"
        f"- {{purl: pkg:deb/debian/nginx, evidence: 'sha256:{'0' * 64}', concluded: MIT, {record}}}\n"
    )
    done = sibling.run("build", "--plain")
    assert done.code == 0, done.err
    assert "the curation of pkg:deb/debian/nginx" in done.err
    assert "read it again" in done.err
    done = pycontainer("sbom", "list", sibling.folder, "--layer", "web", "--json", **sibling.environment)
    concluded = {each["name"]: each["concluded"] for each in done.json["components"]}
    assert concluded["zlib1g"] == "Zlib AND MIT"
    assert concluded["nginx"] != "MIT"
    assert pycontainer("sbom", "check", sibling.folder, **sibling.environment).code == 0


def test_the_page_about_the_demo_tells_all_of_it(demo: Product, tmp_path: Path) -> None:
    database = tmp_path / "tracker.json"
    release = {"status": "open", "urgency": "low"}
    database.write_text(json.dumps({"nginx": {"CVE-2026-0001": {"releases": {"trixie": release}}}}))
    page = tmp_path / "audit.html"
    done = demo.run("audit", "--html", page, "--db", database)
    assert done.code == 0, done.err
    text = page.read_text()
    for words in ("CVE-2026-0001", "glibc", "signed by", "shares the device&#x27;s network"):
        assert words in text, words
