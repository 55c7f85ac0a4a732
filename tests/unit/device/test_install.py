# SPDX-License-Identifier: MIT
"""Blob by blob: what the device lacks is sent once, over however many connections it takes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.bundle import Bundle, create, open_bundle
from orchestrator.canonical import hex_of
from orchestrator.device import DeviceError, Link, LinkError, install, parse_transport
from orchestrator.device.sending import Sent
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.oci import Descriptor
from orchestrator.oci.layout import Layout
from orchestrator.revision import Revision
from orchestrator.trust import merged_envelope
from tests.unit.bundle.conftest import Shop, make_revision
from tests.unit.device.conftest import Heard
from tests.unit.device.fake import VERSION, Device


@pytest.fixture
def bundle(shop: Shop, tmp_path: Path) -> Iterator[Bundle]:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as opened:
        yield opened


def fill(device: Device, shop: Shop) -> None:
    """Let the device have the first revision's blobs."""
    for blob in shop.first.blobs():
        device.blobs[blob.digest] = shop.store.read_blob(blob.digest)


def test_an_empty_device_gets_everything(device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard) -> None:
    sent = install(link, bundle, shop.second, heard)
    assert sent.revision == shop.second.id
    assert sent.blobs == len({blob.digest for blob in shop.second.blobs()})
    assert {blob.digest for blob in shop.second.blobs()} <= set(device.blobs)
    assert sent.bytes == device.received
    assert device.verbs()[:4] == ["put", "put", "put", "install"]
    assert device.verbs()[-1] == "install"
    assert "9 of 9 blobs to send" in heard.said[0]
    sends = [entry for entry in heard.shown if entry[0] == "send"]
    assert sends[-1][1] == sends[-1][2] == sum(blob.size for blob in shop.second.blobs())
    assert [done for _, done, _ in sends] == sorted(done for _, done, _ in sends)
    # A step of no size would show as nothing done of nothing.
    assert [entry[1:] for entry in heard.shown if entry[0] == "install on the device"] == [(1, 1)]


@pytest.mark.parametrize("crowd", [61, 62, 63, 64])
def test_a_device_that_collects_what_no_install_refers_to_gets_it_again(
    device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard, crowd: int
) -> None:
    device.crowd = crowd
    sent = install(link, bundle, shop.second, heard)
    assert {blob.digest for blob in shop.second.blobs()} <= set(device.blobs)
    assert sent.bytes == device.received
    again = crowd in (62, 63)
    assert device.verbs()[: 8 if again else 4] == ["put", "put", "put", "install"] * (2 if again else 1)


def test_a_device_that_refuses_what_it_was_shown_is_not_asked_twice(
    device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard
) -> None:
    device.answers["install"] = {"error": "floor of 7"}
    with pytest.raises(DeviceError, match="floor of 7"):
        install(link, bundle, shop.second, heard)
    assert device.verbs().count("install") == 1


def test_what_the_device_has_is_not_sent(device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard) -> None:
    fill(device, shop)
    sent = install(link, bundle, shop.second, heard)
    assert sent.blobs == 1
    assert install(link, bundle, shop.second, heard).blobs == 0
    assert device.received == sent.bytes


@pytest.mark.parametrize("form", ["b.tar", "b"])
def test_a_lost_link_is_made_again_and_nothing_is_sent_twice(
    device: Device, link: Link, shop: Shop, heard: Heard, tmp_path: Path, form: str
) -> None:
    big = make_revision(shop.store, "2.0.0", bytes(range(256)) * 2000)
    create(shop.store, [big], shop.keys, tmp_path / form)
    device.cut_at = 300_000
    with open_bundle(tmp_path / form) as bundle:
        sent = install(link, bundle, big, heard)
        assert device.connections == 2
        assert any("is lost" in line for line in heard.said)
        sizes = {blob.digest: blob.size for blob in big.blobs()}
        small = big.descriptor.size + big.manifest.config.size + len(merged_envelope(bundle, big))
        assert device.received == sum(sizes.values()) + small
        assert sent.blobs == len(sizes)
        assert set(sizes) <= set(device.blobs)


def test_a_device_that_never_takes_more_is_given_up(device: Device, bundle: Bundle, shop: Shop, heard: Heard) -> None:
    def hang_up(request: dict[str, object]) -> None:
        raise OSError

    device.answers["install"] = hang_up
    link = Link(parse_transport(f"unix:{device.path}"), timeout=60, pause=0.001, settle=0.01)
    with link, pytest.raises(LinkError, match="is lost"):
        install(link, bundle, shop.second, heard)
    assert device.connections == 10
    assert len(heard.said) == 1


def test_a_device_that_is_not_there_is_told_at_once(bundle: Bundle, shop: Shop, heard: Heard, tmp_path: Path) -> None:
    with Link(parse_transport(f"unix:{tmp_path}/none"), pause=100) as link, pytest.raises(LinkError, match="connect"):
        install(link, bundle, shop.second, heard)


@pytest.mark.parametrize("what", ["product", "machine"])
def test_a_device_of_another_kind_is_left_alone(
    device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard, what: str
) -> None:
    device.answers["version"] = {**VERSION, what: "other"}
    with pytest.raises(ConfigError, match=f"for another {what}"):
        install(link, bundle, shop.second, heard)
    assert device.verbs() == []


def test_a_bundle_with_a_base_needs_a_device_that_has_it(
    device: Device, link: Link, shop: Shop, heard: Heard, tmp_path: Path
) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b.tar", base=shop.first)
    with open_bundle(tmp_path / "b.tar") as bundle:
        with pytest.raises(VerificationError, match="so does the device") as caught:
            install(link, bundle, shop.second, heard)
        assert "--base" in caught.value.hint
        fill(device, shop)
        assert install(link, bundle, shop.second, heard).blobs == 1


def test_a_damaged_blob_is_found_before_it_is_sent(
    device: Device, link: Link, shop: Shop, heard: Heard, tmp_path: Path
) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b")
    web = next(blob for blob in shop.second.blobs() if (blob.layer, blob.role) == ("web", "rootfs"))
    path = tmp_path / "b" / "blobs" / "sha256" / hex_of(web.digest)
    path.write_bytes(b"x" * web.size)
    with open_bundle(tmp_path / "b") as bundle, pytest.raises(VerificationError, match="damaged"):
        install(link, bundle, shop.second, heard)
    assert web.digest not in device.incoming


def test_a_bundle_without_signatures_is_not_sent(
    device: Device, link: Link, shop: Shop, heard: Heard, tmp_path: Path
) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b")
    for path in (tmp_path / "b" / "blobs" / "sha256").iterdir():
        if b"payloadType" in path.read_bytes():
            path.unlink()
    with open_bundle(tmp_path / "b") as bundle, pytest.raises(TrustError):
        install(link, bundle, shop.second, heard)
    assert device.asked == []


@pytest.mark.parametrize(
    "missing",
    [
        [{"digest": "sha256:" + "1" * 64, "size": 5, "offset": 0}],
        [{"digest": "web", "size": 5, "offset": 0}],
        [{"digest": "first", "size": 5, "offset": 9_999_999}],
        "all",
        {},
    ],
)
def test_a_device_that_asks_for_nonsense_is_not_obeyed(
    device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard, missing: object
) -> None:
    if isinstance(missing, list) and missing[0]["digest"] == "first":
        blob = shop.second.blobs()[0]
        missing = [{"digest": blob.digest, "size": blob.size, "offset": blob.size + 1}]
    device.answers["install"] = {"missing": missing}
    with pytest.raises(VerificationError, match="device"):
        install(link, bundle, shop.second, heard)


def test_a_device_that_never_has_enough_is_told(
    device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard
) -> None:
    blob = shop.second.blobs()[0]
    device.answers["install"] = {"missing": [{"digest": blob.digest, "size": blob.size, "offset": 0}]}
    with pytest.raises(DeviceError, match="the same blobs again"):
        install(link, bundle, shop.second, heard)


def test_a_refusal_is_not_tried_again(device: Device, link: Link, bundle: Bundle, shop: Shop, heard: Heard) -> None:
    device.answers["install"] = {"error": "revision 12 is below the floor"}
    with pytest.raises(DeviceError) as caught:
        install(link, bundle, shop.second, heard)
    assert caught.value.why == "revision 12 is below the floor"
    assert device.verbs().count("install") == 1


def test_what_was_sent_is_said_in_words():
    assert [str(Sent("x", number, number * 100)) for number in (0, 1, 9)] == [
        "0 blobs were sent",
        "1 blob was sent, 100 B",
        "9 blobs were sent, 900 B",
    ]


OLD_WEB = random.Random(1).randbytes(3_000_000)
NEW_WEB = OLD_WEB[:1_000_000] + b"changed" * 1000 + OLD_WEB[1_000_000:2_900_000]


@dataclass
class Update:
    """Two revisions whose web layer is large and alike; a device that has the first; the second one's bundle."""

    first: Revision
    second: Revision
    path: Path

    def blob(self, revision: Revision) -> Descriptor:
        """The web layer of one."""
        return next(part for part in revision.manifest.layers if part.size > 2_000_000)


@pytest.fixture
def change(shop: Shop, device: Device, tmp_path: Path) -> Update:
    first = make_revision(shop.store, "2.0.0", OLD_WEB)
    second = make_revision(shop.store, "2.0.1", NEW_WEB)
    create(shop.store, [second], shop.keys, tmp_path / "b.tar")
    for blob in first.blobs():
        device.blobs[blob.digest] = shop.store.read_blob(blob.digest, limit=1 << 30)
    entry = {"version": "2.0.0", "running": True, "confirmed": True, "previous": False, "complete": True, "size": 1}
    device.answers["revisions"] = {"revisions": [{"revision": first.hex, **entry}]}
    return Update(first, second, tmp_path / "b.tar")


def test_of_a_large_blob_only_what_the_device_lacks_is_sent(
    device: Device, link: Link, shop: Shop, change: Update, heard: Heard
) -> None:
    with open_bundle(change.path) as bundle:
        sent = install(link, bundle, change.second, heard, known=[shop.store])
    assert sent.blobs == 1
    assert sent.bytes == device.received < 120_000
    assert device.copied > 2_700_000
    assert device.blobs[change.blob(change.second).digest] == NEW_WEB
    sends = [entry for entry in heard.shown if entry[0] == "send"]
    assert sends[-1][1] == sends[-1][2] == len(NEW_WEB)


def test_it_goes_on_in_the_middle_of_such_a_blob(
    device: Device, link: Link, shop: Shop, change: Update, heard: Heard
) -> None:
    device.cut_at = 25_000
    with open_bundle(change.path) as bundle:
        sent = install(link, bundle, change.second, heard, known=[shop.store])
    assert device.connections == 2
    assert sent.bytes < 120_000
    assert device.received < 120_000
    assert device.blobs[change.blob(change.second).digest] == NEW_WEB


def whole(device: Device, link: Link, change: Update, heard: Heard, *known: Layout) -> None:
    """All of the blob crosses the link."""
    with open_bundle(change.path) as bundle:
        sent = install(link, bundle, change.second, heard, known=known)
    assert sent.bytes >= len(NEW_WEB)
    assert device.blobs[change.blob(change.second).digest] == NEW_WEB


def test_a_device_that_cannot_copy_is_sent_all(
    device: Device, link: Link, shop: Shop, change: Update, heard: Heard
) -> None:
    device.copies = False
    whole(device, link, change, heard, shop.store)


def test_a_revision_that_is_not_known_here_helps_nothing(
    device: Device, link: Link, change: Update, heard: Heard
) -> None:
    whole(device, link, change, heard)
    assert device.copied == 0


def test_only_revisions_that_are_whole_on_the_device_count(
    device: Device, link: Link, shop: Shop, change: Update, heard: Heard
) -> None:
    device.answers["revisions"]["revisions"][0]["complete"] = False
    whole(device, link, change, heard, shop.store)
    assert device.copied == 0


def test_a_device_that_may_not_tell_its_revisions_is_sent_all(
    device: Device, link: Link, shop: Shop, change: Update, heard: Heard
) -> None:
    device.answers["revisions"] = {"error": "web may not use revisions"}
    whole(device, link, change, heard, shop.store)


@pytest.mark.parametrize("wrong", [b"", OLD_WEB[:-1] + b"?", bytes(3_000_000)], ids=["gone", "flipped", "zeros"])
def test_a_blob_that_the_device_does_not_have_as_thought_costs_one_more_try(
    device: Device, link: Link, shop: Shop, change: Update, heard: Heard, wrong: bytes
) -> None:
    device.blobs[change.blob(change.first).digest] = wrong
    with open_bundle(change.path) as bundle:
        install(link, bundle, change.second, heard, known=[shop.store])
    assert device.blobs[change.blob(change.second).digest] == NEW_WEB
    if len(wrong) != len(OLD_WEB) or wrong[:1000] != OLD_WEB[:1000]:
        assert device.received >= len(NEW_WEB)
