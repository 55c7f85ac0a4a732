# SPDX-License-Identifier: MIT
"""A layer with everything in it: who owns what, what is unowned, modules, linked programs, components by hand."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.sbom import Document, LayerFacts, layer_document, spdx3_bytes
from orchestrator.sbom.contents import Removed
from orchestrator.sbom.handmade import read as read_handmade
from orchestrator.sbom.layer import OWN_FILES

from .elfmake import elf, go_program, modinfo
from .sample import BLOB, DATA, EPOCH, PRODUCT, deployed, tree_of
from .test_databases import ALPINE

PROGRAM = elf({".text": b"vendor"}, kind=2)


def document_of(files: dict[str, bytes | str], **more) -> Document:
    facts = {"name": "app", "kind": "app", "version": "1", "architecture": "amd64", **more}
    return layer_document(LayerFacts(tree=tree_of(files), **facts), PRODUCT, EPOCH)


def dpkg(name: str, paths: list[str], **fields: str) -> dict[str, bytes | str]:
    lines = {"Package": name, "Status": "install ok installed", "Version": "1.0", "Architecture": "amd64", **fields}
    text = "".join(f"{key}: {value}\n" for key, value in lines.items()) + "\n"
    return {
        "var/lib/dpkg/status": text.encode(),
        f"var/lib/dpkg/info/{name}.list": "".join(f"/{path}\n" for path in paths).encode(),
        f"usr/share/doc/{name}/copyright": (DATA / "plain-gpl.copyright").read_bytes(),
    }


def test_every_file_is_owned_explained_or_unowned():
    document = document_of(
        {
            **dpkg("tool", ["usr/bin/tool", "lib/libtool.so"]),
            "lib": "usr/lib",
            "usr/bin/tool*": PROGRAM,
            "usr/lib/libtool.so": b"x",
            "etc/ld.so.cache": b"cache",
            "srv/page.html": b"<html>",
            "opt/vendor/blob*": PROGRAM + b"other",
            "opt/vendor/data": b"12345",
        },
        own=("srv/page.html",),
        removed=(Removed(reason="whiteouts of the image", files=2, size=0, paths=["a", "b"]),),
    )
    census = document.census
    assert census is not None
    explained = {bucket.reason: bucket.files for bucket in census.explained}
    assert explained == {
        OWN_FILES: 1,
        "a package manager's own records": 2,
        "indexes and caches made of installed files": 1,
    }
    assert (census.owned.files, census.unowned_total.files) == (2, 3)  # the copyright file is in no list here
    assert census.files == census.owned.files + sum(explained.values()) + census.unowned_total.files
    assert [(each.path, each.executable) for each in census.unowned] == [
        ("opt/vendor/blob", True),
        ("opt/vendor/data", False),
        ("usr/share/doc/tool/copyright", False),
    ]
    assert census.unowned[1].sha256 == hashlib.sha256(b"12345").hexdigest()
    assert [(bucket.reason, bucket.files) for bucket in census.removed] == [("whiteouts of the image", 2)]
    assert document.layer.completeness == "incomplete"


def test_a_program_that_nothing_accounts_for_is_a_component_without_a_licence():
    document = document_of({**dpkg("tool", ["usr/bin/tool"]), "opt/blob*": PROGRAM})
    blob = next(each for each in document.components if each.kind == "file")
    assert (blob.name, blob.place, blob.licence.expression) == ("blob", "opt/blob", "")
    assert blob.version == "sha256-" + hashlib.sha256(PROGRAM).hexdigest()[:16]
    assert blob.linking == "static"


def test_a_program_in_a_cache_is_not_explained_away():
    document = document_of({**dpkg("tool", []), "var/cache/implant*": PROGRAM, "var/cache/list": b"x"})
    assert document.census is not None
    assert "var/cache/implant" in {each.path for each in document.census.unowned}
    assert "var/cache/list" not in {each.path for each in document.census.unowned}


def test_a_package_counts_its_files_and_says_how_its_programs_are_linked():
    document = document_of(
        {**dpkg("tool", ["usr/bin/tool", "usr/share/x"]), "usr/bin/tool*": PROGRAM, "usr/share/x": b"y"}
    )
    (tool,) = [each for each in document.components if each.name == "tool"]
    assert (tool.files, tool.size, tool.linking) == (2, len(PROGRAM) + 1, "static")
    assert tool.traits.executable
    assert tool.licence.expression == "GPL-2.0-or-later"


def test_what_is_linked_into_a_go_program_is_part_of_the_package_that_owns_it():
    info = "path\texample.org/tool\nmod\texample.org/tool\t(devel)\ndep\tgolang.org/x/sys\tv0.1.0\th1:bb=\n"
    files = {**dpkg("tool", ["usr/bin/tool"]), "usr/bin/tool*": go_program("go1.22.1", info)}
    document = document_of(files)
    by_name = {each.name: each for each in document.components}
    assert by_name["example.org/tool"].parent == by_name["tool"].key
    assert by_name["golang.org/x/sys"].parent == by_name["example.org/tool"].key
    assert by_name["stdlib"].version == "1.22.1"
    assert by_name["golang.org/x/sys"].purl == "pkg:golang/golang.org/x/sys@v0.1.0"
    assert {(edge.needed, edge.static) for edge in document.dependencies} == {
        (by_name["golang.org/x/sys"].key, True),
        (by_name["stdlib"].key, True),
    }


def test_a_go_program_that_nobody_packed_owns_itself():
    document = document_of({"app*": go_program("go1.22.1", "path\texample.org/app\nmod\texample.org/app\tv1.0.0\n")})
    app = next(each for each in document.components if each.name == "example.org/app")
    assert (app.kind, app.place, app.files) == ("application", "app", 1)
    assert document.census is not None
    assert document.census.unowned_total.files == 0


def test_each_kernel_module_is_a_component_with_its_tag_its_needs_and_the_supplier_of_its_package(tmp_path: Path):
    deployed(tmp_path)
    contents = tmp_path / "contents.json"
    folder = "lib/modules/6.12.1/kernel"
    contents.write_text(json.dumps({"schemaVersion": 1, "owners": {"tool": [f"{folder}/a-x.ko", f"{folder}/b.ko"]}}))
    document = document_of(
        {
            f"{folder}/a-x.ko": modinfo(license="Dual BSD/GPL", depends="b", vermagic="6.12.1 SMP"),
            f"{folder}/b.ko": modinfo(license="Proprietary", firmware="b.bin", vermagic="6.12.1 SMP"),
            "lib/modules/6.12.1/kernel/odd.ko": b"no module",
        },
        name="bsp",
        kind="bsp",
        spdx=tmp_path / "web.spdx.json",
        copyright=tmp_path / "copyright.tar",
        contents=contents,
    )
    by_name = {each.name: each for each in document.components}
    a, b, package = by_name["a_x"], by_name["b"], by_name["tool"]
    assert (a.licence.expression, a.licence.tier, a.version) == ("GPL-2.0-only", "module", "6.12.1")
    assert b.licence.expression.startswith("LicenseRef-proprietary-module")
    assert a.parent == b.parent == package.key
    assert a.supplier == package.supplier
    assert {checksum.algorithm for checksum in a.checksums} == {"SHA256", "SHA512"}
    assert "May ask for firmware: b.bin." in b.remarks
    assert (a.key, b.key) in {(edge.dependent, edge.needed) for edge in document.dependencies}
    assert any("odd.ko" in remark for remark in document.remarks)
    assert package.files == 2


def test_a_base_that_gives_files_to_an_unknown_package_is_told_so(tmp_path: Path):
    layer = deployed(tmp_path)
    contents = tmp_path / "contents.json"
    contents.write_text(json.dumps({"schemaVersion": 1, "owners": {"nobody": ["x"]}}))
    facts = dataclasses.replace(layer, tree=tree_of({"x": b""}), contents=contents)
    assert any("nobody" in remark for remark in layer_document(facts, PRODUCT, EPOCH).remarks)
    contents.write_text('{"schemaVersion": 1, "owners": {"nobody": ["/x"]}}')
    with pytest.raises(BuildError, match="deploy contract"):
        layer_document(facts, PRODUCT, EPOCH)


WHENCE = b"""Driver: e100 -- Intel PRO/100

File: e100/d101m.bin
Version: 1.2

Licence: Redistributable. See LICENCE.e100 for details.
 Found in hex form in kernel source.

--------------------------------------------------------------------------

Driver: other -- not here

File: other.bin

Licence: GPLv2. See GPL-2 for details.
"""


def test_firmware_has_the_licence_that_whence_gives_it():
    document = document_of(
        {
            "lib/firmware/WHENCE": WHENCE,
            "lib/firmware/LICENCE.e100": b"You may redistribute this firmware.",
            "lib/firmware/e100/d101m.bin.zst": b"blob",
        },
        kind="bsp",
    )
    firmware = next(each for each in document.components if each.kind == "firmware")
    assert (firmware.name, firmware.version, firmware.place) == (
        "firmware of e100",
        "1.2",
        "lib/firmware/e100/d101m.bin.zst",
    )
    assert firmware.licence.expression.startswith("LicenseRef-LICENCE.e100")
    assert "You may redistribute" in firmware.licence.extracted[0].text
    assert firmware.traits.structured is False


HAND = """
components:
  - name: codec
    version: "4.20"
    layer: app
    files: ["opt/codec/*.so"]
    supplier: {name: Codecs Ltd, contact: legal@example.com}
    licence: LicenseRef-codec-eula
    licenceFile: eula.txt
    copyright: ["2024 Codecs Ltd"]
"""


def test_a_component_by_hand_owns_its_files_and_has_its_text(tmp_path: Path):
    (tmp_path / "parts.yaml").write_text(HAND)
    (tmp_path / "eula.txt").write_text("Ship it.")
    document = document_of(
        {"opt/codec/a.so": PROGRAM, "opt/codec/deep/b.so": PROGRAM},
        by_hand=tuple(read_handmade(tmp_path / "parts.yaml")),
    )
    codec = next(each for each in document.components if each.name == "codec")
    assert (codec.version, codec.licence.expression, codec.files) == ("4.20", "LicenseRef-codec-eula", 1)
    assert codec.licence.extracted[0].text == "Ship it."
    assert codec.licence.tier == "manual"


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        (("*.so", "*.dll"), ConfigError, "has no file"),
        (("LicenseRef-codec-eula\n", "Nonsense 1\n"), ConfigError, "no SPDX expression"),
        (("    licenceFile: eula.txt\n", ""), ConfigError, "is missing"),
        (
            ("    copyright:", f"    sha256: {{opt/codec/a.so: {'0' * 64}}}\n    copyright:"),
            VerificationError,
            "is not the",
        ),
        (("    version:", "    versoin:"), ConfigError, "versoin"),
    ],
)
def test_a_component_by_hand_that_does_not_fit_stops_the_build(tmp_path: Path, change, error, why):
    (tmp_path / "parts.yaml").write_text(HAND.replace(*change))
    (tmp_path / "eula.txt").write_text("Ship it.")
    with pytest.raises(error, match=why):
        document_of({"opt/codec/a.so": PROGRAM}, by_hand=tuple(read_handmade(tmp_path / "parts.yaml")))


def test_an_alpine_layer_with_a_python_package_gives_one_document():
    document = document_of(
        {
            "etc/os-release": b"ID=alpine\nVERSION_ID=3.20\n",
            "lib/apk/db/installed": ALPINE,
            "lib/ld-musl-x86_64.so.1*": PROGRAM,
            "bin/busybox*": PROGRAM,
            "etc/udhcpc/udhcpc.conf": b"",
            "opt/venv/lib/python3.12/site-packages/x-1.dist-info/METADATA": b"Name: x\nVersion: 1\nLicense: MIT\n",
        },
        blobs=(),
    )
    assert [each.name for each in document.components] == ["busybox", "musl", "x"]
    assert document.census is not None
    assert [each.path for each in document.census.unowned] == ["etc/os-release"]  # the sample leaves its package out
    assert json.loads(spdx3_bytes(document))["@graph"][0]["specVersion"] == "3.0.1"
    assert BLOB not in spdx3_bytes(document).decode()
