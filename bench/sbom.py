# SPDX-License-Identifier: MIT
"""What documents cost, and how they compare: python bench/sbom.py [ROOTFS_TAR DEBSBOM SPDX23].

Writes documents of 5,000 and 20,000 packages (each with a file, a source, licences and dependencies) and prints CPU
seconds of making and of checking them, and memory; each size in a process of its own. With a root file system tar, the
program debsbom, and the SPDX 2.3 document that a build wrote of the same layer, what each found is printed side by
side.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from orchestrator.build.layerfiles import LayerFiles
from orchestrator.compliance.judge import judge
from orchestrator.compliance.read import read_bill
from orchestrator.layers.inputs import TarSource
from orchestrator.layers.nodes import BytesContent, File
from orchestrator.layers.tree import Limits, Tree
from orchestrator.sbom import (
    Blob,
    LayerFacts,
    Product,
    check_spdx23,
    cyclonedx_bytes,
    layer_document,
    spdx3_bytes,
    spdx23_bytes,
)

EPOCH = 1_700_000_000
PRODUCT = Product("bench", "1", "Example Ltd", "sbom@example.com")
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2020-2024 Example {number}
License: {licence}
"""
LICENCES = ("GPL-2+", "LGPL-2.1+", "MIT", "Apache-2.0", "BSD-3-clause", "GPL-3+ or Apache-2.0", "ISC", "Zlib")


def made(count: int) -> Tree:
    """Return a Debian-like tree of `count` packages with two files each."""
    tree = Tree(Limits(entries=2_000_000))

    def put(path: str, data: bytes) -> None:
        tree.add(path.encode(), File(mode=0o644, content=BytesContent(data)))

    status = []
    for number in range(count):
        name = f"package{number}"
        needs = ", ".join(f"package{each}" for each in range(max(0, number - 4), number))
        status.append(
            f"Package: {name}\nStatus: install ok installed\n"
            f"Maintainer: Team {number % 97} <team{number % 97}@example.com>\n"
            f"Architecture: amd64\nSource: source{number // 2}\nVersion: 1.{number}-1\nDepends: {needs}\n"
            f"Description: number {number}\nHomepage: https://example.com/{name}\n"
        )
        put(f"usr/lib/{name}/data", name.encode() * 20)
        put(f"usr/share/doc/{name}/copyright", COPYRIGHT.format(number=number, licence=LICENCES[number % 8]).encode())
        listed = f"/usr/lib/{name}/data\n/usr/share/doc/{name}/copyright\n"
        put(f"var/lib/dpkg/info/{name}.list", listed.encode())
    put("var/lib/dpkg/status", "\n".join(status).encode())
    put("etc/os-release", b"ID=debian\nVERSION_ID=13\n")
    return tree


def one(count: int) -> None:
    """Make the documents of `count` packages and print the seconds of each step and the memory as JSON."""
    tree = made(count)
    steps: dict[str, float] = {}
    started = time.process_time()

    def step(name: str) -> None:
        nonlocal started
        steps[name] = round(time.process_time() - started, 2)
        started = time.process_time()

    with LayerFiles(tree) as files:
        facts = LayerFacts(
            name="rootfs", kind="rootfs", version="1", architecture="amd64", tree=files, origin="bench",
            blobs=(Blob("rootfs", "sha256:" + "0" * 64),),
        )  # fmt: skip
        document = layer_document(facts, PRODUCT, EPOCH)
    step("facts")
    data = spdx3_bytes(document)
    step("SPDX 3.0.1")
    older = spdx23_bytes(document)
    step("SPDX 2.3")
    cyclonedx_bytes(document)
    step("CycloneDX")
    wrong = [found for found in check_spdx23(older) if found.severity == "error"]
    step("gate")
    verdict = judge(read_bill(data, "bench"))
    step("all checks")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"steps": steps, "MiB": memory, "bytes": len(data), "errors": len(wrong) + len(verdict.errors)}))


def scale() -> None:
    """Print the table of sizes."""
    totals, first = {}, True
    for count in (5_000, 20_000):
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(count)], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        totals[count] = sum(found["steps"].values())
        if first:
            first = False
            print("packages", *(f"{name:>10}" for name in (*found["steps"], "seconds", "MiB", "errors")), sep="  ")
        values = [*found["steps"].values(), round(totals[count], 2), found["MiB"], found["errors"]]
        print(f"{count:8}", *(f"{value:>10}" for value in values), sep="  ")
    print(f"growth: {totals[20_000] / totals[5_000] / 4:.2f} of linear")


def counts(value: dict[str, Any]) -> tuple[int, int, int]:
    """Return the binary packages of an SPDX 2.3 document, those with a declared licence, and the dependencies."""
    packages = [
        each
        for each in value["packages"]
        if any(
            ref["referenceLocator"].startswith("pkg:deb/") and "arch=source" not in ref["referenceLocator"]
            for ref in each.get("externalRefs", [])
        )
    ]
    licensed = [each for each in packages if each.get("licenseDeclared", "NOASSERTION") not in ("NOASSERTION", "NONE")]
    edges = [each for each in value["relationships"] if each["relationshipType"] == "DEPENDS_ON"]
    return len(packages), len(licensed), len(edges)


def compare(tar: Path, debsbom: str, built: Path) -> None:
    """Print what is found in one root file system tar, and what a build knew of the same layer."""
    with tempfile.TemporaryDirectory(prefix="pycontainer-bench-") as name:
        work = Path(name)
        begin = time.monotonic()
        loaded = TarSource(tar).load(work, Limits(), EPOCH)
        with LayerFiles(loaded.tree) as files:
            facts = LayerFacts(
                name="rootfs", kind="rootfs", version="1", architecture="amd64", tree=files, origin="bench",
                blobs=(Blob("rootfs", "sha256:" + "0" * 64),),
            )  # fmt: skip
            ours = json.loads(spdx23_bytes(layer_document(facts, PRODUCT, EPOCH)))
        seconds = time.monotonic() - begin
        begin = time.monotonic()
        command = [debsbom, "generate", "-t", "spdx", "--with-licenses", "--no-recommends-deps", "-r", str(tar), "-o"]
        subprocess.run([*command, str(work / "other")], check=True, capture_output=True)
        others = time.monotonic() - begin
        (path,) = work.glob("other*.json")
        theirs = json.loads(path.read_bytes())
    columns = [
        ("debsbom, from the tar", counts(theirs), f"{others:.2f}"),
        ("pycontainer, from the tar", counts(ours), f"{seconds:.2f}"),
        ("pycontainer build", counts(json.loads(built.read_bytes())), "-"),
    ]
    print(f"{'':28}{'packages':>10}{'licensed':>10}{'edges':>8}{'seconds':>9}")
    for label, found, took in columns:
        print(f"{label:28}{found[0]:>10}{found[1]:>10}{found[2]:>8}{took:>9}")


def main() -> None:
    """Run what the arguments ask for."""
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
        return
    scale()
    if len(sys.argv) > 3:
        compare(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))


if __name__ == "__main__":
    main()
