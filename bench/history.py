# SPDX-License-Identifier: MIT
"""How long status, log and diff take with 1,000 revisions of 10 layers, beside git on a repository of the same shape.

    python -m bench.history [REVISIONS]

Every figure is that of a whole process, from its start to its end: wall clock and processor time, the least and the
median of several runs, and the largest memory. The store is made by the code that `pycontainer commit` runs, with the
documents of every layer in three formats, signed; only syncing to the disk is left out.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.canonical import sha256_digest
from orchestrator.history.names import Names
from orchestrator.history.record import commit
from orchestrator.history.source import SourceFile, SourceList, attach_source
from orchestrator.oci import Store
from orchestrator.oci.layout import referrer
from orchestrator.revision import (
    CYCLONEDX_TYPE,
    LAYER,
    SPDX23_TYPE,
    SPDX_TYPE,
    ContainerLayer,
    LayerBlob,
    PlatformLayer,
    RevisionConfig,
    assemble,
    created_at,
    media_type,
    set_candidate,
)
from orchestrator.trust import product_keys, sign_revision

LIMIT_SECONDS = 0.3
LIMIT_BYTES = 150 * 1024 * 1024
RUNS = 9
APPS = [f"app{number}" for number in range(1, 7)]
PLATFORM = {"bootloader": ("efi",), "bsp": ("kernel", "modules", "firmware"), "host": ("initramfs", "boot-env")}
PACKAGES = 60
VERITY = "sha256:" + "f" * 64


def layer_versions(number: int) -> dict[str, int]:
    """The version of each layer at a revision: each changes at its own pace, an app at every revision."""
    names = [*PLATFORM, "rootfs", *APPS]
    pace = {"bootloader": 400, "bsp": 60, "host": 90, "rootfs": 25}
    return {name: number // pace.get(name, 1 + 2 * names.index(name) - 7) for name in names}


def document(layer: str, version: int) -> bytes:
    """An SPDX 3.0.1 document of the size and shape of a small layer's: packages with licences."""
    base = f"urn:uuid:{layer}#"
    graph: list[dict[str, object]] = [
        {"type": "simplelicensing_LicenseExpression", "spdxId": f"{base}licence-{kind}",
         "simplelicensing_licenseExpression": kind}
        for kind in ("MIT", "GPL-2.0-or-later", "LGPL-2.1-only", "Apache-2.0")
    ]  # fmt: skip
    ids = [f"{base}component-{position}" for position in range(PACKAGES)]
    for position, identifier in enumerate(ids):
        revised = version if position % 10 == version % 10 else 0
        graph.append({
            "type": "software_Package", "spdxId": identifier, "name": f"package{position}",
            "software_packageVersion": f"1.{revised}-1",
            "software_packageUrl": f"pkg:deb/debian/package{position}@1.{revised}-1?arch=amd64",
            "software_copyrightText": "Copyright the authors\n" * 20,
        })  # fmt: skip
        graph.append({
            "type": "Relationship", "spdxId": f"{identifier}-l", "relationshipType": "hasConcludedLicense",
            "from": identifier, "to": [graph[position % 4]["spdxId"]],
        })  # fmt: skip
    graph.append({"type": "Relationship", "spdxId": f"{base}contains", "relationshipType": "contains",
                  "from": f"{base}layer", "to": ids})  # fmt: skip
    return json.dumps({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph}).encode()


def make_store(folder: Path, revisions: int) -> None:
    """Make a product whose channel has so many revisions, and a candidate that changes one layer more."""
    containers = "".join(f"  {name}:\n    kind: app\n    from: {{directory: files}}\n" for name in APPS)
    text = (
        "product: bench\nversion: 1.0.0\nmachine: qemu-amd64\nlayers:\n"
        "  rootfs:\n    kind: rootfs\n    from: {directory: files}\n" + containers
    )
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a").write_text("a file\n")
    (folder / "pycontainer.yaml").write_text(text)
    contents = {"pycontainer.yaml": text.encode(), "files/a": b"a file\n"}
    listed = SourceList(
        schema_version=1,
        files=[SourceFile(path, sha256_digest(data), len(data)) for path, data in sorted(contents.items())],
        folders=["files"],
    )
    store = Store.open_or_create(folder / ".pycontainer" / "store")
    keys = product_keys("bench")
    names = Names(store, "qemu-amd64")
    for number in range(revisions + 1):
        candidate(store, keys, number, listed, contents)
        if number < revisions:
            commit(names, keys, f"Change number {number}\n\nWhat it is about, in a line or two.")


def candidate(store: Store, keys: object, number: int, listed: SourceList, contents: dict[str, bytes]) -> None:
    """What a build leaves: blobs, revision, documents, source, signature, tag."""
    versions = layer_versions(number)
    blobs: list[LayerBlob] = []
    documents = {name: document(name, version) for name, version in versions.items()}
    layers: list[PlatformLayer | ContainerLayer] = []
    with store.together():
        for name, version in versions.items():
            for role in PLATFORM.get(name, ("rootfs", "run-config")):
                blob = store.put_blob(f"{name} {role} {version}".encode() * 50, media_type=media_type(role))
                blobs.append(LayerBlob(name, role, blob.digest, blob.size, VERITY))
            values = {
                "name": name, "kind": name if name in (*PLATFORM, "rootfs") else "app", "version": f"1.{version}",
                "blobs": {blob.role: blob.digest for blob in blobs if blob.layer == name},
                "spdx": sha256_digest(documents[name]),
            }  # fmt: skip
            layers.append(msgspec.convert(values, PlatformLayer if name in PLATFORM else ContainerLayer))
        config = RevisionConfig(
            product="bench", version=f"1.{number}", machine="qemu-amd64", architecture="amd64",
            created=created_at(1_767_225_600 + 3600 * number), layers=layers,
        )  # fmt: skip
        revision = assemble(store, config, blobs)
        referrers = []
        for name, data in documents.items():
            for kind in (SPDX_TYPE, SPDX23_TYPE, CYCLONEDX_TYPE):
                body = data if kind == SPDX_TYPE else kind.encode() + data
                blob = store.put_blob(body, media_type=kind)
                referrers.append(referrer(revision.descriptor, kind, [blob], {LAYER: name}))
        store.attach_all(revision.descriptor, referrers)
        attach_source(store, revision, listed, contents)
        sign_revision(store, revision, keys.signers())  # type: ignore[attr-defined]
        set_candidate(store, revision)
        store.pack(revision.id)


def make_repository(folder: Path, revisions: int) -> None:
    """Make a git repository whose commits change the files that the store's revisions change the layers of."""
    folder.mkdir()

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    lines = []
    for number in range(revisions + 1):
        message = f"Change number {number}\n\nWhat it is about, in a line or two.\n"
        lines.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1_767_225_600 + 3600 * number} +0000")
        lines.append(f"data {len(message)}\n{message}")
        for name, version in layer_versions(number).items():
            data = f"{name} {version}\n" * 50
            lines.append(f"M 644 inline {name}/layer\ndata {len(data)}\n{data}")
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input="\n".join(lines), text=True, check=True)
    git("reset", "-q", "--hard", "HEAD~1")
    git("read-tree", "main@{1}")
    git("checkout-index", "-a", "-f")


@dataclass(frozen=True)
class Figures:
    """Seconds of wall clock and of the processor, least and median; bytes of memory at most."""

    least: float
    median: float
    processor: float
    memory: int


def measure(argv: list[str], folder: Path) -> Figures:
    """Run a command several times, its output thrown away; it must end well."""
    walls, processors, memory = [], [], 0
    for _ in range(RUNS):
        started = time.perf_counter()
        child = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        walls.append(time.perf_counter() - started)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"{argv} ended with {child.returncode}")
        processors.append(usage.ru_utime + usage.ru_stime)
        memory = max(memory, usage.ru_maxrss * 1024)
    return Figures(min(walls), statistics.median(walls), min(processors), memory)


def main() -> int:
    """Print the figures; returns 1 when one is beyond the limit."""
    revisions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    program = str(Path(sys.executable).with_name("pycontainer"))
    half = f"HEAD~{revisions // 2}"
    commands = {
        "status": ([program, "status"], ["git", "status"]),
        "log": ([program, "log"], ["git", "log"]),
        "log --oneline -n 20": ([program, "log", "--oneline", "-n", "20"], ["git", "log", "--oneline", "-n", "20"]),
        f"diff {half} HEAD": ([program, "diff", half, "HEAD"], ["git", "diff", "--stat", half, "HEAD"]),
        f"diff --packages {half} HEAD": ([program, "diff", "--packages", half, "HEAD"], ["git", "diff", half, "HEAD"]),
        "start-up alone (--help)": ([program, "log", "--help"], ["git", "--version"]),
    }
    with tempfile.TemporaryDirectory(prefix="bench-history-") as name:
        os.environ["PYCONTAINER_KEYS"] = f"{name}/keys"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs have theirs
        folder = Path(name)
        os.fsync = lambda descriptor: None
        started = time.perf_counter()
        make_store(folder / "product", revisions)
        seconds = time.perf_counter() - started
        index = folder / "product" / ".pycontainer" / "store" / "index.json"
        print(f"{revisions} revisions of 10 layers made in {seconds:.0f} s, {1000 * seconds / revisions:.0f} ms each; "
              f"index.json has {index.stat().st_size / 1e6:.1f} MB")  # fmt: skip
        make_repository(folder / "git", revisions)
        print(f"{'':34}{'least':>8}{'median':>8}{'cpu':>8}{'memory':>10}    {'git':>8}{'ratio':>8}")
        worst, largest = 0.0, 0
        for what, (ours, theirs) in commands.items():
            mine, other = measure(ours, folder / "product"), measure(theirs, folder / "git")
            worst, largest = max(worst, mine.median), max(largest, mine.memory)
            print(f"{what:34}{mine.least:7.3f}s{mine.median:7.3f}s{mine.processor:7.3f}s{mine.memory / 2**20:7.0f} MB"
                  f"    {other.median:7.3f}s{mine.median / other.median:7.1f}x")  # fmt: skip
    print(f"the slowest median is {worst:.3f} s (at most {LIMIT_SECONDS} s), memory {largest / 2**20:.0f} MB")
    return int(worst > LIMIT_SECONDS or largest > LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
