# SPDX-License-Identifier: MIT
"""What the recordings are made with: the product and its revisions, a settled device, and the stage of one scenario."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.build.base import PLATFORM
from orchestrator.bundle import open_bundle
from orchestrator.canonical import hex_of, sha256_digest
from orchestrator.trust import merged_envelope
from tests.integration.conftest import Product, copy_demo
from tests.integration.updates.devices import Device
from tests.integration.updates.products import Family, Made, sparse_copy
from tests.powercut import recording
from tests.powercut.disk import Blocks, content_digest
from tests.powercut.recording import BLOBS, LOG, Blob, Mark, Recording, RevisionFacts

SETTLED, FRESH = "settled.img", "fresh.img"
LARGER = 64 * 2**20
"""Bytes that a disk has more than the image."""
LIMIT = 900.0
"""Seconds for what a device does in one or two minutes when the machine has nothing else to do."""
BAD = ("never-well", "kernel-crashing")
"""Revisions that are never confirmed."""


class Workshop:
    """The demo, built by BitBake once, the family of its revisions, and where recordings lie."""

    def __init__(self, folder: Path, demo: Product | None = None) -> None:
        self.folder = folder
        product = demo or _demo(folder / "demo")
        shutil.rmtree(folder / "family", ignore_errors=True)
        (folder / "family").mkdir()
        self.family = Family(product, folder / "family", patience="300s")
        self.recordings = folder / "recordings"
        (self.recordings / BLOBS).mkdir(parents=True, exist_ok=True)
        self._settle()

    def _settle(self) -> None:
        """Make the image after the first start, sealed and with a key of its own, as it is for most scenarios.

        One that was made of the same image is used again.
        """
        settled, made_of = self.recordings / SETTLED, self.recordings / f"{SETTLED}.of"
        image = content_digest(Blocks().load(self.family.image))
        if settled.exists() and made_of.exists() and made_of.read_text() == image:
            return
        made_of.unlink(missing_ok=True)
        work = self.fresh("settling")
        device = Device(self.family, self.family.image, work)
        try:
            device.start()
            device.wait_settled(self.family.base, timeout=LIMIT)
            device.poll(lambda: "identity: this device has its own key now" in device.text, LIMIT)
            device.poll(lambda: "verify: the other" in device.text, LIMIT)
            device.power_off()
        finally:
            device.kill()
        device.image.replace(settled)
        made_of.write_text(image)

    def beginning(self, fresh: bool) -> Path:
        """The image that a scenario begins with: the settled one, or one that was never started, on a larger disk."""
        if not fresh:
            return self.recordings / SETTLED
        image = sparse_copy(self.family.image, self.recordings / FRESH)
        with image.open("r+b") as stream:
            stream.truncate(image.stat().st_size + LARGER)
        return image

    def fresh(self, name: str) -> Path:
        """An empty folder."""
        work = self.folder / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        return work

    def facts(self, made: Made) -> RevisionFacts:
        """What must be there of a revision; its blobs are put beside the recordings."""
        store, revision = self.family.store, made.revision
        with open_bundle(made.bundle) as bundle:
            envelope = merged_envelope(bundle, revision)
        signature = hex_of(sha256_digest(envelope))
        content = {hex_of(each.digest): store.blob_path(each.digest) for each in revision.blobs()}
        for digest in (revision.id, revision.manifest.config.digest):
            content[hex_of(digest)] = store.blob_path(digest)
        for digest, path in content.items():
            if not self.blob(digest).exists():
                shutil.copyfile(path, self.blob(digest))
        self.blob(signature).write_bytes(envelope)
        verity = {hex_of(each.digest): hex_of(each.fsverity) for each in revision.blobs()}
        platform = {each.role: hex_of(each.digest) for each in revision.blobs() if each.layer in self._platform(made)}
        return RevisionFacts(
            id=made.id,
            blobs=[
                Blob(digest, self.blob(digest).stat().st_size, verity.get(digest, ""))
                for digest in sorted({*content, signature})
            ],
            links={"signature": signature, **{role: platform[role] for role in ("kernel", "initramfs", "boot-env")}},
            loader=platform["efi"],
        )

    def _platform(self, made: Made) -> set[str]:
        return {layer.name for layer in made.revision.config.layers if layer.kind in PLATFORM}

    def known(self, name: str) -> Made:
        """A revision by its name in the recordings."""
        return self.family.with_loader() if name == "loader" else self.family.made(name)

    def blob(self, digest: str) -> Path:
        """Where the content of a blob is, for those who check."""
        return self.recordings / BLOBS / digest


def _demo(folder: Path) -> Product:
    """The demo in a folder, built; what is there already is used."""
    product = Product(folder / "product", folder / "keys")
    if not product.folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        copy_demo(product.folder, product.keys)
    product.build()
    return product


class Stage:
    """One scenario being recorded."""

    def __init__(self, workshop: Workshop, scenario: str, base: Path) -> None:
        self.workshop, self.family = workshop, workshop.family
        self.scenario, self._base = scenario, base
        self.work = workshop.fresh(f"record-{scenario}")
        self.device = Device(self.family, base, self.work)
        self.log = self.work / LOG
        self.log.touch()
        self.device.write_log = self.log
        self.known: dict[str, Made] = {"base": self.family.base}
        self.marks: list[Mark] = []

    def made(self, name: str) -> Made:
        """A revision that has a part in this scenario."""
        return self.known.setdefault(name, self.workshop.known(name))

    def mark(
        self,
        name: str,
        *,
        choose: list[str] | None = None,
        whole: list[str] | None = None,
        prefix: dict[str, int] | None = None,
        settled: bool | None = None,
    ) -> None:
        """What the device has just promised, or may do from now on; see `Mark`."""
        self.marks.append(Mark(name, self.log.stat().st_size, choose, whole, prefix or {}, settled))

    def finish(self) -> Recording:
        """Switch the device off by cutting its power, and keep what was recorded."""
        self.device.kill()
        folder = self.workshop.recordings / self.scenario
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.log.replace(folder / LOG)
        made = Recording(
            scenario=self.scenario,
            base=self._base.name,
            base_digest=content_digest(Blocks().load(self._base)),
            disk_size=self.device.image.stat().st_size,
            log_sha256=recording.hash_file(folder / LOG),
            revisions={name: self.workshop.facts(each) for name, each in self.known.items()},
            good=[name for name in self.known if name not in BAD],
            marks=self.marks,
        )
        recording.save(made, folder)
        self.device.image.replace(folder / "end.img")
        return made


def record(workshop: Workshop, scenario: str, base: Path, play: Callable[[Stage], None]) -> Recording:
    """Play a scenario on a new device and keep its recording."""
    stage = Stage(workshop, scenario, base)
    try:
        play(stage)
        return stage.finish()
    finally:
        stage.device.kill()
