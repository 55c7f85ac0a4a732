# SPDX-License-Identifier: MIT
"""The check on a small image of the real writer: whole it passes, and each thing that may be lost is found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.image import record
from orchestrator.image.writer import ImageRequest, write_image
from orchestrator.layers.verity import fsverity_digest
from orchestrator.run import Tools
from tests.powercut import failure, grub
from tests.powercut.check import IDENTITY, NOTES, Subject, Verdict, check
from tests.powercut.cuts import Cut
from tests.powercut.disk import BLOCK, Blocks, content_digest
from tests.powercut.expect import records
from tests.powercut.ext4 import Ext4
from tests.powercut.partitions import Unreadable, gpt
from tests.powercut.recording import BLOBS, LOG, Blob, Mark, Recording, RevisionFacts, save
from tests.powercut.writelog import SECTOR, Entry

MIB = 2**20
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
PROGRAMS = ("mkfs.fat", "mcopy", "mke2fs", "debugfs", "e2fsck")
pytestmark = pytest.mark.skipif(
    any(shutil.which(name, path=SEARCH) is None for name in PROGRAMS), reason="needs dosfstools, mtools, e2fsprogs"
)
STORAGE_AT = 65 * MIB
RECORDS = "volumes/records"


def note(number: int) -> bytes:
    line = json.dumps({"generation": number}).encode()
    return (hashlib.sha256(line).hexdigest().encode() + b" " + line + b"\n").ljust(BLOCK, b"\0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a device that did nothing: an image with one revision, notes, a key and ten records."""
    root = tmp_path_factory.mktemp("recorded")
    (root / BLOBS).mkdir()
    chance = Random(5)
    sizes = {"kernel": 300_001, "initramfs": 9000, "boot-env": 1024, "signature": 500, "manifest": 700}
    digests = {}
    for name, size in sizes.items():
        data = chance.randbytes(size)
        digests[name] = sha256_digest(data)
        (root / BLOBS / digests[name].removeprefix("sha256:")).write_bytes(data)
    paths = {digest: root / BLOBS / digest.removeprefix("sha256:") for digest in digests.values()}
    links = {name: digests[name] for name in ("kernel", "initramfs", "boot-env", "signature")}
    efi = root / "boot.efi"
    efi.write_bytes(b"MZ" + bytes(50_000))
    request = ImageRequest("demo", "qemu-amd64", digests["manifest"], paths, links, efi, 16 * MIB, "BOOTX64.EFI")
    image = write_image(request, root / "base.img", Tools(), 1_700_000_000).image
    state = {NOTES: note(1) + note(2), IDENTITY: b"k" * 64, RECORDS: records(10)}
    commands = []
    for number, (path, data) in enumerate(state.items()):
        (root / f"state{number}").write_bytes(data)
        commands.append(f"write {root / f'state{number}'} {path}\n")
    (root / "commands").write_text("".join(commands))
    argv = Tools().argv("debugfs", "-w", "-f", root / "commands", f"{image}?offset={STORAGE_AT}")
    subprocess.run(argv, check=True, capture_output=True)
    plain = {name: digest.removeprefix("sha256:") for name, digest in digests.items()}
    facts = RevisionFacts(
        id=plain["manifest"],
        blobs=[Blob(plain[n], size, fsverity_digest(paths[digests[n]])[7:]) for n, size in sizes.items()],
        links={name: plain[name] for name in links},
        loader=hashlib.sha256(efi.read_bytes()).hexdigest(),
    )
    made = root / "idle"
    made.mkdir()
    (made / LOG).write_bytes(b"")
    mark = Mark("all along", 0, choose=["base"], whole=["base"], prefix={RECORDS: 10}, settled=True)
    size = image.stat().st_size
    digest = content_digest(Blocks().load(image))
    save(Recording("idle", image.name, digest, size, "", {"base": facts}, ["base"], [mark]), made)
    return made


@pytest.fixture
def subject(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setattr("tests.powercut.check.read", lambda path, size: [])
    monkeypatch.setattr("tests.powercut.recording.hash_file", lambda path: "")
    return Subject.open(folder)


def after(subject: Subject, *writes: tuple[int, bytes]) -> Verdict:
    """What the check says when these bytes were written as well."""
    subject.entries[:] = [Entry(offset, data, flush=False, fua=False, end=SECTOR) for offset, data in writes]
    return check(subject, Cut(0, len(writes), tuple(range(len(writes)))))


def place_of(subject: Subject, begin: bytes) -> int:
    """Where a block of the disk is that begins so."""
    (number,) = [number for number, block in enumerate(subject.disk) if block.startswith(begin)]
    return number * BLOCK


def records_on_esp(subject: Subject) -> list[int]:
    found = []
    for number, block in enumerate(subject.disk):
        found += [number * BLOCK + at for at in range(0, BLOCK, SECTOR) if block[at:].startswith(b"# GRUB Env")]
    return [at for at in found if at < STORAGE_AT]


def blob(subject: Subject, folder: Path, name: str) -> bytes:
    digest = subject.recording.revisions["base"].links[name]
    return (folder.parent / BLOBS / digest).read_bytes()


def test_a_whole_disk_passes_and_is_left_as_it_was(subject: Subject) -> None:
    before = list(subject.disk)
    verdict = after(subject)
    assert (verdict.lost, verdict.chosen, verdict.doubt) == ("", "base", "")
    assert subject.disk == before


def test_one_damaged_record_is_no_loss_and_two_are(subject: Subject) -> None:
    first, second = records_on_esp(subject)
    assert after(subject, (first, bytes(SECTOR))).lost == ""
    assert "both boot records" in after(subject, (first, bytes(SECTOR)), (second, bytes(SECTOR))).lost


def test_a_record_that_names_what_may_not_start_is_found(subject: Subject) -> None:
    first, second = records_on_esp(subject)
    base = subject.recording.revisions["base"].id
    stranger = record.encode(record.Record(7, "e" * 64))[:SECTOR]
    assert "only base may be" in after(subject, (first, stranger)).lost
    tried = record.encode(record.Record(8, base, "e" * 64, 3))[:SECTOR]
    assert "only base may be" in after(subject, (second, tried)).lost


@pytest.mark.parametrize("name", ["kernel", "initramfs", "boot-env"])
def test_what_the_boot_loader_loads_is_compared(subject: Subject, folder: Path, name: str) -> None:
    at = place_of(subject, blob(subject, folder, name)[:64])
    lost = after(subject, (at + SECTOR, b"!" * SECTOR)).lost
    assert f"{name} of revision" in lost and "for the boot loader" in lost


def test_what_only_the_kernel_reads_is_compared(subject: Subject, folder: Path) -> None:
    at = place_of(subject, blob(subject, folder, "signature")[:64])
    assert "has other bytes" in after(subject, (at, b"!" * SECTOR)).lost


def test_notes_have_one_valid_copy(subject: Subject) -> None:
    first, second = place_of(subject, note(1)[:80]), place_of(subject, note(2)[:80])
    assert after(subject, (second, bytes(SECTOR))).lost == ""
    assert "neither copy" in after(subject, (first, bytes(SECTOR)), (second, bytes(SECTOR))).lost


@pytest.mark.parametrize(
    ("begin", "data", "lost"),
    [
        (b"k" * 64, bytes(SECTOR), "state/identity is empty"),
        (records(2), b"other", "lacks some of the 10 records"),
    ],
)
def test_what_was_promised_of_files_is_there(subject: Subject, begin: bytes, data: bytes, lost: str) -> None:
    at = place_of(subject, begin)
    assert lost in after(subject, (at, data.ljust(SECTOR, b"\0"))).lost


def test_a_torn_superblock_is_a_doubt(subject: Subject) -> None:
    torn = bytearray(subject.disk[STORAGE_AT // BLOCK][1024 : 1024 + SECTOR])
    torn[0x34] ^= 1
    assert "superblock" in after(subject, (STORAGE_AT + 1024, bytes(torn))).doubt


def test_a_failure_is_read_as_it_was_kept(tmp_path: Path) -> None:
    cut = Cut(3, 9, (4, 7), ((7, 0, 2),))
    kept = failure.of("live", "00", 5, cut, "check", "something")
    path = failure.save(kept, tmp_path)
    assert failure.load(path) == kept and kept.cut == cut
    assert failure.save(kept, tmp_path) == path


def test_the_boot_loader_needs_nothing_of_the_folder_of_blobs(subject: Subject) -> None:
    """Where a name was wiped and the block torn, it finds no length and stops: as if the folder ended there."""
    _, storage = gpt(subject.disk)
    facts = subject.recording.revisions["base"]
    whole = Ext4(subject.disk, storage, strict=False)
    folder = whole.find("blobs/sha256")
    assert folder is not None and whole.entries(folder)
    ((_, _, block),) = whole.extents(folder)
    subject.disk[storage.start // BLOCK + block] = bytes(BLOCK)
    torn = Ext4(subject.disk, storage, strict=False)
    assert torn.entries(folder) == {}
    grub.check_loadable(torn, facts, subject.contents)
    with pytest.raises(Unreadable, match="not there"):
        grub.resolve(torn, f"revisions/{facts.id}/signature")
