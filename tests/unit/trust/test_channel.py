# SPDX-License-Identifier: MIT
"""A channel's pointer leads forward, by enough of the channel's keys, and for the one product, machine and channel."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import EqualVersionNumberError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata, Timestamp
from tuf.api.metadata import Role as TheirRole
from tuf.api.metadata import Root as TheirRoot
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError, PyContainerError, TrustError
from orchestrator.oci import Descriptor, Store, fsck
from orchestrator.revision import Revision
from orchestrator.trust import (
    POINTER_PAYLOAD,
    POINTER_TYPE,
    Pointer,
    PrivateKey,
    Role,
    SignedPointer,
    UnverifiedError,
    accept_pointer,
    check_revision,
    issue,
    known_pointer,
    next_pointer,
    pointer_tag,
    pointers,
    read_pointer,
    registry_tag,
    tagged_pointer,
    time_floor,
    verify_pointer,
)
from orchestrator.trust.dsse import sign
from tests.unit.revision.sample import sample_revision
from tests.unit.trust.test_root import their_key

ONE, TWO, THREE = (PrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))
ROLE = Role("channel", (ONE.public,), 1)
BOTH = Role("channel", (ONE.public, TWO.public), 2)
T1, T2, T3 = (f"2026-0{month}-01T00:00:00Z" for month in (1, 2, 3))
PLACE = {"product": "demo", "machine": "qemu-amd64", "channel": "main"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


@pytest.fixture
def revision(store: Store) -> Revision:
    return sample_revision(store)


def issued(store: Store, revision: Revision, now: str = T1, by: PrivateKey = ONE, **more: Any) -> SignedPointer:
    return issue(store, next_pointer(store, revision, "main", now=now, **more), [by])


def accepted(store: Store, found: SignedPointer, role: Role = ROLE) -> SignedPointer:
    return accept_pointer(store, found.manifest.digest, role, **PLACE)


def forged(store: Store, revision: Revision, by: PrivateKey = ONE, **changes: Any) -> SignedPointer:
    """A pointer with any values, signed and attached, that no tag stands for: as it comes from a registry."""
    values = {
        "schema_version": 1, "version": 1, "revision": revision.id, "floor": 0, "security_version": 0, "issued": T1,
    }  # fmt: skip
    pointer = Pointer(**(values | PLACE | changes))
    return attached(store, revision, canonical_json(_plain(pointer)), by)


def _plain(pointer: Pointer) -> dict[str, Any]:
    return dict(msgspec.to_builtins(pointer))


def attached(store: Store, revision: Revision, payload: bytes, by: PrivateKey = ONE) -> SignedPointer:
    envelope = sign(payload, POINTER_PAYLOAD, [by])
    blob = store.put_blob(envelope.to_bytes(), media_type="application/vnd.dsse.envelope.v1+json")
    manifest = store.attach(revision.descriptor, POINTER_TYPE, [blob])
    return SignedPointer(Pointer.from_bytes(payload), envelope, manifest)


def test_a_pointer_is_signed_attached_and_found_by_its_tag(store: Store, revision: Revision):
    found = issued(store, revision)
    assert found.pointer.version == 1
    assert tagged_pointer(store, "channel.pointer/main/qemu-amd64") == found
    assert [each.artifact_type for each in store.referrers(revision.id)] == ["application/vnd.pycontainer.channel.v1"]
    assert found.envelope.payload == (
        b'{"channel":"main","floor":0,"issued":"2026-01-01T00:00:00Z","machine":"qemu-amd64","product":"demo",'
        b'"revision":"' + revision.id.encode() + b'","schemaVersion":1,"securityVersion":0,"version":1}'
    )
    assert accepted(store, found) == found
    assert known_pointer(store, "main", "qemu-amd64") == found
    assert registry_tag("main", "qemu-amd64") == "channel.main.qemu-amd64"
    assert pointers(store) == [found]
    assert fsck(store).whole


def test_versions_count_up_and_time_never_goes_back(store: Store, revision: Revision):
    issued(store, revision, T2)
    second = issued(store, sample_revision(store, version="2"), now=T1)
    assert (second.pointer.version, second.pointer.issued) == (2, T2), "a clock that was set back stops nobody"
    assert [each.pointer.version for each in pointers(store)] == [2]


def test_two_signers_sign_one_after_the_other(store: Store, revision: Revision):
    pointer = next_pointer(store, revision, "main", now=T1)
    first = issue(store, pointer, [ONE])
    with pytest.raises(UnverifiedError, match="refused"):
        accepted(store, first, BOTH)
    assert known_pointer(store, "main", "qemu-amd64") is None
    second = issue(store, pointer, [TWO])
    assert accepted(store, second, BOTH).envelope == sign(pointer.to_bytes(), POINTER_PAYLOAD, [ONE, TWO])
    with pytest.raises(TrustError, match="nobody to sign"):
        issue(store, pointer, [])


def test_what_moved_meanwhile_is_not_overwritten(store: Store, revision: Revision):
    early = next_pointer(store, revision, "main", now=T1)
    issued(store, sample_revision(store, version="2"))
    with pytest.raises(TrustError, match="moved meanwhile"):
        issue(store, early, [ONE])
    assert [each.pointer.version for each in pointers(store)] == [1]


def test_a_downgrade_a_fork_and_a_freeze_are_refused(store: Store, revision: Revision):
    accepted(store, forged(store, revision, version=5, issued=T2, floor=0))
    other = sample_revision(store, version="2")
    for change, why in (
        ({"version": 4, "issued": T3}, "downgrade"),
        ({"version": 5, "issued": T3}, "fork"),
        ({"version": 6, "issued": T1}, "channel history"),
    ):
        with pytest.raises(UnverifiedError) as caught:
            accepted(store, forged(store, other, **change))
        assert why in caught.value.why
        assert caught.value.exit_code == 7
        known = known_pointer(store, "main", "qemu-amd64")
        assert known is not None
        assert known.pointer.version == 5, "what was refused is not remembered"
    assert accepted(store, forged(store, other, version=6, issued=T2)).pointer.version == 6


def test_the_floor_never_falls(store: Store, revision: Revision):
    fixed = sample_revision(store, version="2", security_version=3)
    accepted(store, issued(store, fixed, floor=3))
    with pytest.raises(TrustError, match="below the floor"):
        next_pointer(store, revision, "main", now=T1)
    with pytest.raises(TrustError, match="cannot fall"):
        next_pointer(store, fixed, "main", now=T1, floor=2)
    with pytest.raises(UnverifiedError, match="refused"):
        accepted(store, forged(store, fixed, version=9, floor=1, security_version=3))
    kept = next_pointer(store, fixed, "main", now=T1)
    assert (kept.floor, kept.version, kept.security_version) == (3, 2, 3)
    raised = next_pointer(store, revision, "main", now=T1, security_version=4)
    assert raised.security_version == 4
    with pytest.raises(ConfigError, match="security version"):
        next_pointer(store, fixed, "main", now=T1, security_version=2)


def test_expiry_is_measured_by_signed_times_alone(store: Store, revision: Revision):
    pointer = forged(store, revision, issued=T1, expires=T2)
    assert accepted(store, pointer).pointer.expires == T2
    elsewhere = issue(store, next_pointer(store, revision, "beta", now=T3), [ONE])
    assert time_floor(store, "demo", ROLE) == T3
    assert time_floor(store, "demo", ROLE, ["2027-01-01T00:00:00Z"]) == "2027-01-01T00:00:00Z"
    assert time_floor(store, "other", ROLE) < T1
    with pytest.raises(UnverifiedError) as caught:
        accepted(store, pointer)
    assert "expiry" in caught.value.why
    stranger = Role("channel", (THREE.public,), 1)
    assert time_floor(store, "demo", stranger) < T1, "what others signed does not move the time"
    assert elsewhere.pointer.channel == "beta"


def test_another_product_machine_channel_or_signer_is_refused(store: Store, revision: Revision):
    found = forged(store, revision)
    for change in ({"product": "x"}, {"machine": "x"}, {"channel": "x"}):
        with pytest.raises(UnverifiedError):
            verify_pointer(found, ROLE, **(PLACE | change))
    for role in (Role("channel", (TWO.public,), 1), Role("channel", (), 0), Role("channel", (ONE.public,) * 2, 2)):
        with pytest.raises(UnverifiedError):
            verify_pointer(found, role, **PLACE)
    report = verify_pointer(found, ROLE, **PLACE)
    assert report.keyids == [ONE.public.keyid]
    assert [step.name for step in report.steps] == [
        "channel", "channel signatures", "channel history", "channel floor"
    ]  # fmt: skip
    check_revision(found.pointer, "demo", "qemu-amd64", 0)
    for facts in (("x", "qemu-amd64", 0), ("demo", "x", 0), ("demo", "qemu-amd64", 1)):
        with pytest.raises(TrustError, match="not what its pointer says"):
            check_revision(found.pointer, *facts)


def test_a_thief_s_highest_number_ends_with_the_thief_s_key(store: Store, revision: Revision):
    accepted(store, forged(store, revision, version=2**31 - 1, issued="9999-01-01T00:00:00Z"))
    rotated = Role("channel", (TWO.public,), 1)
    fresh = forged(store, revision, by=TWO, version=8, issued=T1)
    assert accepted(store, fresh, rotated) == fresh
    assert [each.pointer.version for each in pointers(store)] == [8]


def test_what_was_issued_here_and_never_published_is_overtaken(store: Store, revision: Revision):
    issued(store, revision)
    other = sample_revision(store, version="2")
    theirs = accepted(store, forged(store, other, version=1, issued=T2))
    assert pointers(store) == [theirs]
    assert next_pointer(store, revision, "main", now=T1).version == 2
    ahead = issued(store, revision, T3)
    assert accepted(store, theirs) == theirs
    assert pointers(store) == [ahead], "a higher one of our own stays"


def test_a_pointer_hangs_on_its_own_revision(store: Store, revision: Revision):
    other = sample_revision(store, version="2")
    payload = forged(store, revision).envelope.payload
    with pytest.raises(TrustError, match="another revision"):
        read_pointer(store, attached(store, other, payload).manifest.digest)
    with pytest.raises(TrustError, match="not a channel pointer"):
        read_pointer(store, revision.id)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 0}, "form"), ({"version": 2**31}, "form"), ({"floor": -1}, "form"), ({"floor": 1}, "against"),
        ({"channel": "a.b"}, "form"), ({"channel": ""}, "form"), ({"revision": "sha256:12"}, "form"),
        ({"issued": "2026-02-30T00:00:00Z"}, "not a time"), ({"issued": "yesterday"}, "form"),
        ({"expires": T1}, "expires"), ({"more": 1}, "form"), ({"schemaVersion": 2}, "form"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(change: dict[str, Any], why: str):
    value = {
        "schemaVersion": 1, "version": 1, "revision": "sha256:" + "1" * 64, "floor": 0, "securityVersion": 0,
        "issued": T1, **PLACE,
    }  # fmt: skip
    assert Pointer.from_bytes(canonical_json(value))
    with pytest.raises(TrustError, match=why):
        Pointer.from_bytes(canonical_json(value | change))
    with pytest.raises(TrustError, match="canonical"):
        Pointer.from_bytes(canonical_json(value) + b" ")


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_refused_with_an_explanation(data: bytes):
    with pytest.raises(PyContainerError):
        Pointer.from_bytes(data)


@pytest.mark.parametrize("name", ["", "A", "a.b", "a/b", "-a", "a--b", "x" * 33, "a\n"])
def test_names_that_are_no_channel_are_refused(name: str):
    with pytest.raises(ConfigError, match="not the name of a channel"):
        pointer_tag(name, "qemu-amd64")


def _their_timestamp(version: int, day: int, by: set[int]) -> bytes:
    """A timestamp of python-tuf: what a channel's pointer is to us; `day` of January 2026 is when it expires."""
    found: Metadata[Timestamp] = Metadata(Timestamp(version=version, expires=datetime(2026, 1, day, tzinfo=UTC)))
    for number in by:
        private = PrivateKey.from_seed(bytes([number]) * 32)
        found.sign(CryptoSigner(private._key, their_key(private.public)), append=True)
    return found.to_bytes()


def _theirs(old: int, new: int, day: int, clock: int, by: set[int], threshold: int) -> bool:
    keys = [PrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3)]
    role = TheirRole(sorted(key.public.keyid for key in keys), threshold)
    root = TheirRoot(
        version=1,
        expires=datetime(2999, 1, 1, tzinfo=UTC),
        keys={key.public.keyid: their_key(key.public) for key in keys},
        roles={"root": role, "timestamp": role, "snapshot": role, "targets": role},
    )
    metadata: Metadata[TheirRoot] = Metadata(root)
    for key in keys:
        metadata.sign(CryptoSigner(key._key, their_key(key.public)), append=True)
    trusted = TrustedMetadataSet(metadata.to_bytes(), EnvelopeType.METADATA)
    trusted.reference_time = datetime(2026, 1, clock, tzinfo=UTC)
    with suppress(ExpiredMetadataError):
        trusted.update_timestamp(_their_timestamp(old, 31, {1, 2, 3}))
    try:
        trusted.update_timestamp(_their_timestamp(new, day, by))
    except EqualVersionNumberError:  # "keep using the old one": which is ours when its content is the same
        return True
    except RepositoryError:
        return False
    return True


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(2, 20), st.integers(2, 20),
    st.sets(st.integers(1, 4), min_size=1), st.integers(1, 3),
)  # fmt: skip
def test_python_tuf_follows_a_timestamp_as_we_follow_a_pointer(
    old: int, new: int, day: int, clock: int, by: set[int], threshold: int
):
    role = Role("channel", tuple(PrivateKey.from_seed(bytes([number]) * 32).public for number in (1, 2, 3)), threshold)

    def signed(version: int, expires: int, signers: set[int]) -> SignedPointer:
        pointer = Pointer(
            schema_version=1, version=version, revision="sha256:" + "1" * 64, floor=0, security_version=0,
            issued="2026-01-01T00:00:00Z", expires=f"2026-01-{expires:02}T00:00:00Z", **PLACE,
        )  # fmt: skip
        made = [PrivateKey.from_seed(bytes([number]) * 32) for number in sorted(signers)]
        envelope = sign(pointer.to_bytes(), POINTER_PAYLOAD, made)
        return SignedPointer(pointer, envelope, Descriptor(media_type="a/b", digest="sha256:" + "2" * 64, size=1))

    seen = signed(old, 31, {1, 2, 3})
    found = seen if new == old else signed(new, day, by)
    try:
        verify_pointer(found, role, **PLACE, seen=seen, time=f"2026-01-{clock:02}T00:00:00Z")
        ours = True
    except UnverifiedError:
        ours = False
    if new == old:
        assert ours
    else:
        assert ours == _theirs(old, new, day, clock, by, threshold)
