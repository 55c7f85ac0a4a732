# SPDX-License-Identifier: MIT
"""`pycontainer build` on the demo: what it makes, what it does not do twice, and bytes that never vary."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from orchestrator.deploy import Deploy
from orchestrator.oci import Store, fsck
from orchestrator.revision import CYCLONEDX_TYPE, SPDX23_TYPE, SPDX_TYPE
from orchestrator.sbom import check_spdx23
from tests.integration.conftest import REPOSITORY, Product, copy_demo


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_the_build_leaves_image_block_map_store_and_one_document_a_layer(demo: Product):
    summary = demo.run("build", "--json").json
    names = [layer["name"] for layer in summary["layers"]]
    assert names == ["bootloader", "bsp", "host", "rootfs", "web"]
    assert demo.image.exists()
    assert Path(summary["bmap"]).exists()
    for name in names:
        document = json.loads((demo.folder / "build" / "sbom" / f"{name}.spdx.json").read_text())
        assert document["spdxVersion"] == "SPDX-2.3"
    assert fsck(Store.open(demo.folder / ".pycontainer" / "store")).whole


def test_every_package_has_a_licence_hashes_and_a_supplier(demo: Product):
    for path in sorted((demo.folder / "build" / "sbom").glob("*.spdx.json")):
        data = path.read_bytes()
        assert check_spdx23(data) == (), path.name
        packages = json.loads(data)["packages"]
        debs = [package for package in packages if package.get("packageFileName", "").endswith(".deb")]
        assert debs, path.name
        for package in debs:
            assert package["licenseDeclared"] not in ("NOASSERTION", "NONE"), (path.name, package["name"])
            assert {check["algorithm"] for check in package["checksums"]} >= {"SHA256", "SHA512"}
            assert package["supplier"].startswith(("Person: ", "Organization: "))
            assert any(ref["referenceLocator"].startswith("pkg:deb/debian/") for ref in package["externalRefs"]), (
                package["name"]
            )


def test_the_kernels_modules_in_the_initramfs_are_accounted_for(demo: Product):
    """Files of the kernel's package are in two layers, so it stands in the documents of both."""
    kernels = []
    for name in ("bsp", "host"):
        packages = json.loads((demo.folder / "build" / "sbom" / f"{name}.spdx.json").read_text())["packages"]
        kernels.append([package for package in packages if package["name"].startswith("linux-image-")])
    assert len(kernels[0]) == 1
    assert [kernel["checksums"] for kernel in kernels[0]] == [kernel["checksums"] for kernel in kernels[1]]
    assert "GPL-2.0-only" in kernels[1][0]["licenseDeclared"]
    # The source that the licence asks for is the kernel's, not that of the signatures on it.
    for (kernel,) in kernels:
        assert kernel["sourceInfo"].startswith("built from source package: linux 6.")


def test_the_documents_are_valid_for_spdx_tools(demo: Product):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    for path in sorted((demo.folder / "build" / "sbom").glob("*.spdx.json")):
        assert validate_full_spdx_document(parse_file(str(path))) == [], path.name


def test_the_image_s_document_satisfies_ntia_and_bsi(demo: Product):
    from ntia_conformance_checker import BSIChecker, NTIAChecker

    path = str(demo.folder / "build" / "sbom" / f"{demo.image.stem}.spdx3.json")
    assert NTIAChecker(path, validate=False, sbom_spec="spdx3").compliant
    assert BSIChecker(path, validate=False, sbom_spec="spdx3").compliant


def test_every_file_of_every_layer_is_owned_or_explained(demo: Product):
    for name in ("bootloader", "bsp", "host", "rootfs", "web"):
        document = json.loads((demo.folder / "build" / "sbom" / f"{name}.spdx3.json").read_text())
        notes = [json.loads(item["statement"]) for item in document["@graph"] if item["type"] == "Annotation"]
        (layer,) = [note for note in notes if "census" in note]
        assert layer["completeness"] == "complete", name
        assert layer["census"]["files"] > 0
        assert layer["census"]["unowned"]["files"] == 0, name


def test_the_image_s_document_names_the_file_and_travels_with_the_revision(demo: Product):
    document = json.loads((demo.folder / "build" / "sbom" / f"{demo.image.stem}.spdx3.json").read_text())
    (image,) = [item for item in document["@graph"] if item.get("software_primaryPurpose") == "diskImage"]
    stated = {each["algorithm"]: each["hashValue"] for each in image["verifiedUsing"]}
    assert stated["sha256"] == digest(demo.image)
    store = Store.open(demo.folder / ".pycontainer" / "store")
    revision = demo.run("build", "--json").json["revision"]
    for kind in (SPDX_TYPE, SPDX23_TYPE, CYCLONEDX_TYPE):
        assert len(store.referrers(revision, kind)) == 6, kind  # five layers and the image


def test_a_second_build_does_nothing_and_says_so(demo: Product):
    before = digest(demo.image), demo.image.stat().st_mtime_ns
    done = demo.run("build")
    assert done.code == 0
    assert "nothing has changed" in done.out
    summary = demo.run("build", "--json").json
    assert (summary["unchanged"], summary["bitbakeTasks"], summary["assembled"]) == (True, 0, [])
    assert (digest(demo.image), demo.image.stat().st_mtime_ns) == before


def test_a_deleted_document_or_blob_is_made_again(sibling: Product):
    document = sibling.folder / "build" / "sbom" / "web.spdx.json"
    before = document.read_bytes()
    document.unlink()
    assert sibling.build()["unchanged"] is False
    assert document.read_bytes() == before
    blobs = sibling.folder / ".pycontainer" / "store" / "blobs" / "sha256"
    largest = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    largest.unlink()
    assert sibling.build()["unchanged"] is False
    assert largest.exists()


def test_a_changed_page_gives_a_new_revision_without_bitbake(sibling: Product):
    before = sibling.run("build", "--json").json
    page = sibling.folder / "www" / "index.html"
    page.write_text(page.read_text().replace("It runs.", "It runs again."))
    after = sibling.build()
    assert after["bitbakeTasks"] == 0
    assert after["assembled"] == ["web"]
    assert after["revision"] != before["revision"]
    sizes = {layer["name"]: layer["size"] for layer in after["layers"]}
    assert sizes.keys() == {layer["name"] for layer in before["layers"]}


def test_removing_the_change_brings_the_old_revision_back(sibling: Product):
    before = sibling.run("build", "--json").json["revision"]
    page = sibling.folder / "www" / "index.html"
    text = page.read_text()
    page.write_text(text + "\n")
    assert sibling.build()["revision"] != before
    page.write_text(text)
    assert sibling.build()["revision"] == before


def test_a_tar_and_a_folder_give_the_same_revision_wherever_the_product_lies(demo: Product, tmp_path: Path):
    """No path of the build machine enters a layer or its document."""
    found = set()
    for folder in (tmp_path / "a" / "product", tmp_path / "elsewhere" / "b" / "product"):
        product = copy_demo(folder, demo.keys)
        (folder / "root" / "bin").mkdir(parents=True)
        shutil.copyfile(shutil.which("busybox") or "", folder / "root" / "bin" / "busybox")
        (folder / "root" / "bin" / "busybox").chmod(0o755)
        with tarfile.open(folder / "root.tar", "w") as archive:
            for name in ("bin", "bin/busybox"):
                entry = archive.gettarinfo(str(folder / "root" / name), name)
                entry.mtime, entry.uid, entry.gid = 0, 0, 0
                content = (folder / "root" / name).open("rb") if entry.isfile() else None
                archive.addfile(entry, content)
        text = (folder / "pycontainer.yaml").read_text()
        sources = {"tarred": "tar: root.tar", "plain": "directory: root"}
        for name, source in sources.items():
            text += f"  {name}:\n    kind: app\n    from: {{{source}}}\n    command: [/bin/busybox, sleep, '9']\n"
        (folder / "pycontainer.yaml").write_text(text)
        (folder / "build").mkdir()
        link = folder / "build" / "bitbake-qemu-amd64"
        link.symlink_to(demo.folder / "build" / "bitbake-qemu-amd64")
        stamp = json.loads((demo.folder / "build" / "stamp-qemu-amd64.json").read_text())
        (folder / "build" / "stamp-qemu-amd64.json").write_text(json.dumps({"base": stamp["base"]}))
        found.add(product.build()["revision"])
        for document in (folder / "build" / "sbom").iterdir():
            assert str(tmp_path) not in document.read_text(), document.name
    assert len(found) == 1


@pytest.mark.slow
def test_ten_hash_seeds_and_other_folders_give_the_same_bytes(demo: Product, tmp_path: Path):
    """Assembled anew ten times, each in a folder of its own, from one deploy folder with one key."""
    wanted = None
    for seed in range(10):
        product = copy_demo(tmp_path / f"{seed}" / ("x" * seed + "product"), demo.keys)
        (product.folder / "build").mkdir()
        bitbake = "bitbake-qemu-amd64"
        (product.folder / "build" / bitbake).symlink_to(demo.folder / "build" / bitbake)
        stamp = json.loads((demo.folder / "build" / "stamp-qemu-amd64.json").read_text())
        (product.folder / "build" / "stamp-qemu-amd64.json").write_text(json.dumps({"base": stamp["base"]}))
        summary = product.build(PYTHONHASHSEED=str(seed))
        assert summary["bitbakeTasks"] == 0
        found = {
            "revision": summary["revision"],
            "image": digest(product.image),
            "bmap": digest(Path(summary["bmap"])),
            **{path.name: digest(path) for path in sorted((product.folder / "build" / "sbom").iterdir())},
        }
        wanted = wanted or found
        assert found == wanted, f"seed {seed}"
    assert wanted is not None
    assert wanted["revision"] == demo.run("build", "--json").json["revision"]
    assert wanted["image"] == digest(demo.image)


CLOCK = """
SUMMARY = "A clock"
inherit pycontainer-rootfs
PYCONTAINER_LAYER = "clock"
PYCONTAINER_KIND = "app"
PYCONTAINER_CONFIG = '{"Cmd": ["/bin/busybox", "sh", "-c", "while date; do sleep 1; done"]}'
DEBIAN_PACKAGES = "busybox-static"
"""
LAYER_CONF = """
BBFILES += "${LAYERDIR}/recipes/*.bb"
BBFILE_COLLECTIONS += "kiosk"
BBFILE_PATTERN_kiosk = "^${LAYERDIR}/"
LAYERSERIES_COMPAT_kiosk = "pycontainer-debian"
"""


@pytest.mark.slow
def test_kas_alone_builds_the_same_files_in_another_folder_and_a_recipe_of_ones_own(demo: Product, tmp_path: Path):
    """`kas build` from the repository root, with a copy of the demo's lock, so that the bytes compare."""
    meta = tmp_path / "meta"
    (meta / "conf").mkdir(parents=True)
    (meta / "conf" / "layer.conf").write_text(LAYER_CONF)
    (meta / "recipes").mkdir()
    (meta / "recipes" / "app-clock.bb").write_text(CLOCK)
    build, lock = tmp_path / "elsewhere" / "build", tmp_path / "lock.json"
    shutil.copyfile(demo.lock, lock)
    build.parent.mkdir()
    environment = os.environ | {
        "KAS_BUILD_DIR": str(build),
        "DEBIAN_LOCK": str(lock),
        "PYTHONHASHSEED": "7",
        "PYCONTAINER_EXTRA_LAYERS": str(meta),
        "PYCONTAINER_RECIPES": "rootfs-debian app-nginx app-clock",
    }
    done = subprocess.run(
        [sys.executable, "-m", "kas", "build", "kas/debian-qemu-amd64.yml"],
        cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    here = Deploy(build / "tmp" / "deploy" / "images" / "qemu-amd64")
    there = Deploy(demo.deploy)
    clock = here.layer("app-clock")
    assert clock is not None
    assert (clock.name, clock.kind) == ("clock", "app")
    ours = {layer.name: layer for layer in here.manifest.layers if layer != clock}
    assert ours == {layer.name: layer for layer in there.manifest.layers}
    assert here.manifest.tools == there.manifest.tools
    for layer in here.manifest.layers:
        for file in (*layer.files.values(), layer.spdx, layer.copyright):
            assert file is not None
            here.verified(file)


def test_the_revision_verifies_and_a_damaged_blob_does_not(sibling: Product):
    done = sibling.run("verify", "--json")
    assert done.code == 0
    assert done.json["passed"] is True
    store = sibling.folder / ".pycontainer" / "store" / "blobs" / "sha256"
    largest = max(store.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.chmod(0o644)
    largest.unlink()
    largest.write_bytes(data)
    done = sibling.run("verify")
    assert done.code == 7
    assert "does not verify" in done.err


def test_another_key_gives_another_revision_that_the_first_key_does_not_accept(sibling: Product, tmp_path: Path):
    ours = sibling.run("build", "--json").json
    other = sibling.build(PYCONTAINER_KEYS=str(tmp_path / "other-keys"))
    assert other["revision"] != ours["revision"]
    done = sibling.run("verify", "--revision", other["revision"])
    assert done.code == 7
    assert "Traceback" not in done.err


def test_the_image_of_an_older_revision_can_be_written_again(sibling: Product, tmp_path: Path):
    first = sibling.run("build", "--json").json["revision"]
    original = digest(sibling.image)
    (sibling.folder / "www" / "index.html").write_text("other")
    sibling.build()
    assert digest(sibling.image) != original
    out = tmp_path / "again.img"
    done = sibling.run("image", "--revision", first, "-o", out)
    assert done.code == 0, done.err
    assert digest(out) == original
