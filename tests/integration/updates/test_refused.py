# SPDX-License-Identifier: MIT
"""What a device does not take in: not signed, out of date, damaged, too large; and transfers that break off."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from orchestrator.bundle import open_bundle
from orchestrator.canonical import sha256_digest
from orchestrator.device import DeviceError
from orchestrator.device.answers import Collected, Missing, MissingBlob
from orchestrator.trust import merged_envelope
from tests.integration.conftest import REPOSITORY
from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import PAYLOAD_MIB, Family, Made

MIB = 2**20

# A client that is killed when half of what it has to send is sent.
KILLED_CLIENT = """
import os, signal, sys
from pathlib import Path
from orchestrator.bundle import open_bundle
from orchestrator.device import Link, install, parse_transport

class Listener:
    def say(self, text): pass
    def show(self, phase, done, total):
        if phase == "send" and done > total // 2:
            os.kill(os.getpid(), signal.SIGKILL)

with open_bundle(Path(sys.argv[2])) as bundle, Link(parse_transport(sys.argv[1])) as link:
    install(link, bundle, bundle.select(""), Listener())
"""


def put(device: Device, data: bytes, digest: str) -> None:
    """Send bytes under a blob's name."""
    with device.link.dropping():
        device.link.connection().put(digest, len(data), lambda offset: iter((data[offset:],)))


def begin(device: Device, made: Made) -> list[MissingBlob]:
    """Send what proves a revision, and ask what it lacks."""
    with open_bundle(made.bundle) as bundle:
        envelope = merged_envelope(bundle, made.revision)
        put(device, envelope, sha256_digest(envelope))
        for digest in (made.revision.id, made.revision.manifest.config.digest):
            put(device, bundle.read_blob(digest), digest)
    arguments = {"revision": made.id, "signature": sha256_digest(envelope)}
    return device.link.ask_for("install", Missing, arguments, timeout=120).missing


def test_what_is_not_signed_or_out_of_date_or_damaged_is_refused_and_changes_nothing(devices: Devices, family: Family):
    device = devices.started()
    others = family.signed_by_others()
    with pytest.raises(DeviceError, match=r"sign"):
        device.install(others)
    with pytest.raises(DeviceError, match=r"no revision|not installed|unknown"):
        device.link.ask("try", {"revision": others.id})
    assert set(device.revisions()) == {family.base.id}

    # One bit of a blob flipped on its way: refused, asked for anew, and right then.
    page = family.made("page")
    missing = begin(device, page)
    with open_bundle(page.bundle) as bundle:
        for blob in missing:
            with bundle.blobs.open(blob.digest) as stream:
                data = bytearray(stream.read())
            data[len(data) // 2] ^= 1
            with pytest.raises(DeviceError, match="digest"):
                put(device, bytes(data), blob.digest)
    assert begin(device, page) == missing
    assert set(device.revisions()) == {family.base.id}

    # A higher floor is kept for ever: neither installed nor tried below it, also when it was there before.
    device.install(page)
    assert device.update(family.made("secure")).result == "confirmed"
    assert device.status().floor == 2
    with pytest.raises(DeviceError, match="security version 0 is below this device's floor of 2"):
        device.install(family.made("held"))
    with pytest.raises(DeviceError, match="security version is 0, this device accepts none below 2"):
        device.link.ask("try", {"revision": page.id})
    with pytest.raises(DeviceError, match="security version is 0, this device accepts none below 2"):
        device.link.ask("rollback")
    device.assert_runs(family.made("secure"))


def test_storage_that_is_too_small_and_a_client_that_is_killed(devices: Devices, family: Family):
    device = devices.started()
    fill(device, PAYLOAD_MIB * MIB // 2)
    before = device.status().storage
    assert before is not None
    with pytest.raises(DeviceError) as refused:
        device.install(family.made("payload-a"))
    match = re.search(r"(\d+) (?:bytes|KiB|MiB) .*free", refused.value.why)
    assert match is not None, refused.value.why
    assert set(device.revisions()) == {family.base.id}
    after = device.status().storage
    assert after is not None
    assert before.free - after.free < 256 * 1024
    assert family.base.headline in device.page()

    # The client dies in the middle; the next one goes on from there.
    device.shell("rm /data/filler")
    device.link.drop()
    made = family.made("payload-a")
    client = subprocess.run(
        [sys.executable, "-c", KILLED_CLIENT, f"unix:{device.machine.control_path}", made.bundle],
        cwd=REPOSITORY,
        check=False,
    )
    assert client.returncode == -signal.SIGKILL
    blob = made.blob("box", "rootfs")
    left = next(each for each in begin(device, made) if each.digest == blob)
    assert 0 < left.offset < left.size
    sent = device.install(made)
    assert sent.bytes < left.size - left.offset + 256 * 1024
    assert device.revisions()[made.id].complete

    # Room for one payload only: the one that nothing needs goes, what runs stays.
    fill(device, PAYLOAD_MIB * MIB // 2)
    other = family.made("payload-b")
    device.install(other)
    assert set(device.revisions()) == {family.base.id, other.id}
    assert all(each.complete for each in device.revisions().values())
    device.shell("rm /data/filler")
    assert device.attempt(other).result == "confirmed"
    device.assert_runs(other)

    # Without need, what may be gone back to stays.
    page = family.made("page")
    device.install(page)
    found = device.link.ask_for("gc", Collected)
    assert (found.removed.revisions, set(device.revisions())) == (1, {family.base.id, other.id})
    assert found.freed >= next(each.size for each in page.revision.blobs() if each.digest == page.blob("web", "rootfs"))


def fill(device: Device, leave: int) -> None:
    """Fill storage with a file in box's permanent volume, and leave about so many bytes."""
    room = device.status().storage
    assert room is not None
    device.shell(f"fallocate -l {room.free - leave} /data/filler")


def test_a_bit_that_flips_at_rest_stops_its_revision_and_no_other(devices: Devices, family: Family):
    made = family.made("payload-a")
    device = devices.started()
    device.install(made)
    device.power_off()
    blob = made.blob("box", "rootfs").removeprefix("sha256:")
    device.flip_bit(device.offset_of(f"blobs/sha256/{blob}") + 4)
    device.start()
    device.assert_runs(family.base)
    with pytest.raises(DeviceError, match="box"):
        device.link.ask("try", {"revision": made.id})
    device.assert_runs(family.base)
    # A bundle that has the blob brings it back once the damaged one is gone.
    device.link.ask("gc")
    assert set(device.revisions()) == {family.base.id}
    assert device.update(made).result == "confirmed"
    device.assert_runs(made)
