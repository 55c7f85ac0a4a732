# SPDX-License-Identifier: MIT
"""How long a revision takes to a registry and back, beside skopeo, and what memory it takes.

    python -m bench.registry [MEGABYTES] [FOLDER]

Debian's docker-registry on loopback, a new one for each push; skopeo copies the same OCI layout. Each is run three
times in turns, and the best time counts: the others say what else the machine did. FOLDER is where all is written.
We bring each blob to the disk before it counts as there, skopeo does not: what it leaves is brought there after it, by
sync(1) of the file system, within its time; the last line is skopeo without that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.delta import attach_chunks
from orchestrator.oci import MANIFEST_TYPE, Manifest, Store
from tests.integration.registry.conftest import Server, docker_registry

ROUNDS = 3
SHARES = (60, 20, 10, 5, 5)
"""Of the whole, in percent: a distribution, modules and firmware, apps."""

OURS = """
import sys
from pathlib import Path
from orchestrator.oci import Store
from orchestrator.registry import parse_reference, pull, push
verb, folder, host, digest = sys.argv[1:]
store = Store.open_or_create(Path(folder))
reference = parse_reference(f"{host}/bench/product:1")
push(store, digest, reference.repository, ["1"]) if verb == "push" else pull(reference, store)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")))
"""


def make(folder: Path, megabytes: int) -> str:
    """Make a store with one revision of random bytes, as compressed ones are; returns its digest."""
    store = Store.open_or_create(folder)
    blobs = []
    for share in SHARES:
        source = folder.parent / "blob"
        with source.open("wb") as stream:
            for _ in range(max(megabytes * share // 100, 1)):
                stream.write(os.urandom(1_000_000))
        blobs.append(store.put_blob(source, adopt=True))
        source.unlink()
    config = store.put_blob(b"{}", media_type="application/vnd.pycontainer.revision.config.v1+json")
    kind = "application/vnd.pycontainer.revision.v1"
    manifest = store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type=kind, config=config, layers=blobs)
    )
    store.tag("1", manifest)
    attach_chunks(store, manifest.digest)  # as a build does
    return manifest.digest


@dataclass(frozen=True)
class Run:
    """One run: seconds of wall and processor time, and peak memory in MB where the program tells it."""

    seconds: float
    busy: float
    memory: float


def timed(words: list[str | Path]) -> Run:
    """Run a program, which may print its peak memory in bytes."""
    began, before = time.monotonic(), os.times()
    done = subprocess.run([*map(str, words)], stdout=subprocess.PIPE, check=True)
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(time.monotonic() - began, busy, int(done.stdout or 0) / 1e6)


def main() -> None:
    """Measure and print."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    base = Path(tempfile.mkdtemp(dir=sys.argv[2] if len(sys.argv) > 2 else None, prefix="bench-registry-"))
    try:
        digest = make(base / "store", megabytes)
        best: dict[str, Run] = {}
        unsynced: list[float] = []

        def note(name: str, run: Callable[[], Run]) -> None:
            os.sync()  # what the one before has left to write is not this one's to wait for
            found = run()
            best[name] = min(best.get(name, found), found, key=lambda each: each.seconds)
            rate = megabytes / found.seconds
            print(f"{name:12} {found.seconds:6.2f} s {rate:6.0f} MB/s, {found.busy:5.2f} s busy", flush=True)

        def ours(verb: str, folder: Path, server: Server) -> Run:
            return timed([sys.executable, "-c", OURS, verb, folder, server.host, digest])

        def skopeo(source: str, target: str) -> Run:
            tls = ["--src-tls-verify=false", "--dest-tls-verify=false"]
            return timed(["skopeo", "--insecure-policy", "copy", "-q", *tls, source, target])

        def durable(image: str, layout: Path) -> Run:
            first, rest = skopeo(image, f"oci:{layout}:1"), timed(["sync", "-f", layout])
            unsynced.append(first.seconds)
            return Run(first.seconds + rest.seconds, first.busy + rest.busy, 0)

        for number in range(ROUNDS):
            for name in ("ours", "skopeo"):
                with docker_registry(base / "registry", secure=False) as server:
                    image, layout = f"docker://{server.host}/bench/product:1", base / f"pulled-{number}"
                    if name == "ours":
                        note("push", lambda server=server: ours("push", base / "store", server))
                        note("pull", lambda server=server, layout=layout: ours("pull", layout, server))
                    else:
                        note("skopeo push", lambda image=image: skopeo(f"oci:{base / 'store'}:1", image))
                        note("skopeo pull", lambda image=image, layout=layout: durable(image, layout))
                shutil.rmtree(base / "registry")
                shutil.rmtree(layout)
        print(f"\n{megabytes} MB, best of {ROUNDS}    seconds    busy  rate of skopeo  peak memory")
        for verb in ("push", "pull"):
            mine, its = best[verb], best[f"skopeo {verb}"]
            ratio = its.seconds / mine.seconds
            print(f"{verb:20} {mine.seconds:10.2f} {mine.busy:7.2f} {ratio:14.2f}x {mine.memory:9.0f} MB")
            print(f"{verb:7} with skopeo {its.seconds:11.2f} {its.busy:7.2f}")
        print(f"pull    with skopeo, unsynced: {min(unsynced):.2f} s")
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
