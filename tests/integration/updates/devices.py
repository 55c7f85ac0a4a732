# SPDX-License-Identifier: MIT
"""A device of these tests: a machine on an image of its own, the link to its control port, and its disk afterwards."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.bundle import open_bundle
from orchestrator.device import DeviceError, Link, LinkError, Outcome, install, parse_transport, try_revision
from orchestrator.device.answers import Container, Containers, Identity, Status, StoredRevision, StoredRevisions
from orchestrator.device.sending import Sent
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import Forward, options_for
from orchestrator.image import record
from orchestrator.image.writer import layout
from orchestrator.run import run
from tests.integration.updates.products import STORAGE_MIB, Family, Made, sparse_copy

BOOT_SECONDS = 120.0
"""For a machine that starts: generous, for it is waited for and not measured."""


@dataclass
class Heard:
    """A listener that remembers."""

    said: list[str] = field(default_factory=list)
    on_show: Callable[[str, int, int], None] = lambda phase, done, total: None

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, phase: str, done: int, total: int) -> None:
        self.on_show(phase, done, total)


class Device:
    """A device; `start` it as often as it was ended. `extra` are more arguments for QEMU.

    `write_log` may name a file for what the disk is told from the next start on.
    """

    def __init__(
        self, family: Family, image: Path, folder: Path, extra: tuple[str, ...] = (), firmware: str | None = None
    ) -> None:
        self.family = family
        self.folder = folder
        self.image = sparse_copy(image, folder / "device.img")
        self.extra = extra
        self.firmware = firmware
        self.write_log: Path | None = None
        self.starts = 0
        self._machine: Machine | None = None
        self._link: Link | None = None

    @property
    def machine(self) -> Machine:
        assert self._machine is not None, "it was not started"
        return self._machine

    @property
    def link(self) -> Link:
        assert self._link is not None, "it was not started"
        return self._link

    @property
    def text(self) -> str:
        """The console since the last start."""
        return self.machine.console.text

    def start(self) -> None:
        """Switch it on."""
        self.starts += 1
        forwards = (Forward(0, 8080), Forward(0, 8081))
        options = options_for(self.family.deploy, self.image, forwards=forwards, persist=True, firmware=self.firmware)
        self._machine = Machine(
            dataclasses.replace(options, extra=self.extra, write_log=self.write_log),
            log=self.folder / f"console-{self.starts}.log",
        )
        self._machine.start()
        self._link = Link(parse_transport(f"unix:{self._machine.control_path}"), pause=0.3, settle=0.2)

    def kill(self) -> None:
        """Cut the power; harmless when it is off."""
        if self._link is not None:
            self._link.drop()
        if self._machine is not None:
            self._machine.kill()

    def power_off(self) -> None:
        """Press the power button."""
        self.link.drop()
        assert self.machine.powerdown(60), self.text[-2000:]

    def restart(self) -> None:
        """Cut the power and switch it on again."""
        self.kill()
        self.start()

    def wait_for(self, pattern: str, timeout: float = BOOT_SECONDS) -> str:
        """Wait for what the console says next."""
        return self.machine.wait_for(pattern, timeout).group()

    def wait_settled(self, *either: Made, timeout: float = BOOT_SECONDS) -> Status:
        """Wait until the device runs one of the revisions, confirmed, and all of its containers are up."""
        last: list[object] = []

        def settled() -> bool:
            status = self.status()
            last[:] = [status]
            if status.state != "confirmed" or status.revision not in [each.id for each in either]:
                return False
            return all(each.state in ("running", "done") for each in self.containers().values())

        try:
            self.poll(settled, timeout)
        except AssertionError as problem:
            raise AssertionError(f"not settled: {last}, {problem}") from None
        return self.status()

    def poll(self, holds: Callable[[], bool], timeout: float = BOOT_SECONDS) -> None:
        """Wait until something holds of the device; a link that is lost meanwhile is made again."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                if holds():
                    return
            except LinkError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not come about\n{self.text[-3000:]}")
            time.sleep(0.2)

    # What it answers.

    def status(self) -> Status:
        return self.link.ask_for("status", Status, timeout=10)

    def containers(self) -> dict[str, Container]:
        found = self.link.ask_for("ps", Containers).containers
        return {each.name: each for each in found}

    def revisions(self) -> dict[str, StoredRevision]:
        found = self.link.ask_for("revisions", StoredRevisions).revisions
        return {each.revision.removeprefix("sha256:"): each for each in found}

    def identity(self) -> Identity:
        """The device's key, which a start looks for once all containers run."""
        found: list[Identity] = []

        def told() -> bool:
            try:
                found.append(self.link.ask_for("identity", Identity))
            except DeviceError as problem:
                assert "no key yet" in problem.why, problem
            return bool(found)

        self.poll(told)
        return found[0]

    def shell(self, script: str, container: str = "box") -> str:
        """Run a shell script in a container, which must end well; returns its output."""
        out = bytearray()
        with self.link.dropping():
            status = self.link.connection().execute(
                container, ["sh", "-c", script], lambda name, data: out.extend(data)
            )
        assert status == 0, (status, out)
        return out.decode()

    # What it is told.

    def install(self, made: Made, heard: Heard | None = None) -> Sent:
        with open_bundle(made.bundle) as bundle:
            return install(self.link, bundle, made.revision, heard or Heard())

    def attempt(self, made: Made, limit: float = 300) -> Outcome:
        return try_revision(self.link, made.revision.id, Heard(), limit=limit, poll=0.3)

    def update(self, made: Made, limit: float = 300) -> Outcome:
        self.install(made)
        return self.attempt(made, limit)

    # What others see of it.

    def page(self, port: int = 8080, timeout: float = BOOT_SECONDS) -> str:
        """The page, asked for until it comes."""
        url = f"http://127.0.0.1:{self.machine.host_port(port)}/"
        deadline = time.monotonic() + timeout
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    body: bytes = answer.read()
                    return body.decode()
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def assert_runs(self, made: Made) -> None:
        """It runs this revision, whole, confirmed, and serves its page."""
        status = self.wait_settled(made)
        assert status.trial is None
        assert status.record is not None
        assert (status.record.rev, status.record.try_) == (made.id, ""), status.record
        stored = self.revisions()[made.id]
        assert stored.complete and stored.running and stored.confirmed, stored
        page = self.page()
        assert made.headline in page, page

    # What its disk holds; only while it is off.

    def record(self) -> record.Record:
        """The boot record, both copies of which must agree."""
        found = self._records()
        assert found[0] is not None and found[0] == found[1], found
        return found[0]

    def record_that_counts(self) -> record.Record:
        """The boot record by which the boot loader will start."""
        found = self._records()
        which = record.choose(found)
        assert which is not None, found
        counts = found[which]
        assert counts is not None
        return counts

    def _records(self) -> tuple[record.Record | None, record.Record | None]:
        first, second = (record.decode(self.esp_file(f"pycontainer/record.{number}")) for number in (0, 1))
        return first, second

    def esp_file(self, path: str) -> bytes:
        start = self._partition(0).start
        return run([*self.family.tools.argv("mcopy"), "-i", f"{self.image}@@{start}", f"::/{path}", "-"])

    def storage_file(self, path: str) -> bytes:
        """A file of storage; what was never written is empty."""
        return run([*self.family.tools.argv("debugfs"), "-R", f"cat {path}", self._storage()])

    def notes(self) -> dict[str, Any]:
        """What the device remembers about its updates: the later one of the two copies that are whole."""
        copies = self.storage_file("state/notes")
        found = []
        for at in range(0, len(copies), 4096):
            digest, _, line = copies[at : at + 4096].partition(b"\n")[0].partition(b" ")
            if hashlib.sha256(line).hexdigest().encode() == digest:
                found.append(json.loads(line))
        return max(found, key=lambda notes: notes["generation"], default={})

    def storage_at(self, offset: int) -> int:
        """Where in the image a byte of the storage partition is."""
        start: int = self._partition(1).start
        return start + offset

    def offset_of(self, path: str) -> int:
        """Where in the image the first block of a file of storage is."""
        out = run([*self.family.tools.argv("debugfs"), "-R", f"blocks {path}", self._storage()])
        return self._partition(1).start + int(out.split()[0]) * 4096

    def flip_bit(self, offset: int) -> None:
        """Change one bit of the image."""
        with self.image.open("r+b") as stream:
            stream.seek(offset)
            byte = stream.read(1)[0]
            stream.seek(offset)
            stream.write(bytes([byte ^ 1]))

    def _storage(self) -> str:
        return f"{self.image}?offset={self._partition(1).start}"

    def _partition(self, number: int) -> Any:
        return layout("demo", self.family.product.machine, STORAGE_MIB * 2**20)[1][number]


class Devices:
    """Makes devices that run the base, each in a folder of its own."""

    def __init__(self, family: Family, settled: Path, folder: Path) -> None:
        self._family, self._settled, self._folder = family, settled, folder
        self._made: list[Device] = []

    def new(self, image: Path | None = None, extra: tuple[str, ...] = ()) -> Device:
        """A device that is off, on a copy of an image: the settled base's when none is given."""
        folder = self._folder / f"device-{len(self._made)}"
        folder.mkdir()
        device = Device(self._family, image or self._settled, folder, extra)
        self._made.append(device)
        return device

    def started(self, extra: tuple[str, ...] = ()) -> Device:
        """A device that runs the base."""
        device = self.new(extra=extra)
        device.start()
        device.wait_settled(self._family.base)
        return device

    def kill(self) -> None:
        """End all that run, and give back the room of their disks."""
        for device in self._made:
            device.kill()
            device.image.unlink(missing_ok=True)
