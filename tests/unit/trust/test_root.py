# SPDX-License-Identifier: MIT
"""Root documents: each follows the one before, by the old keys and the new, as python-tuf decides it too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata
from tuf.api.metadata import Role as TheirRole
from tuf.api.metadata import Root as TheirRoot
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError, PyContainerError, TrustError
from orchestrator.oci import Store, fsck
from orchestrator.trust import PrivateKey, PublicKey, add_public_key, keys_folder, load_keys, new_key, product_keys
from orchestrator.trust.dsse import sign
from orchestrator.trust.published import accept_roots, publish_roots, read_roots
from orchestrator.trust.role import RoleName
from orchestrator.trust.root import ROOT_PAYLOAD, Chain, Root, SignedRoot, begin, find_start, follow, make_root
from orchestrator.trust.rootchange import begin_with, give, propose, sign_root, take_roots, threshold_of
from orchestrator.trust.rotation import drop, rotate

T1, T2 = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def key(number: int) -> PrivateKey:
    return PrivateKey.from_seed(bytes([number]) * 32)


def document(
    version: int, roots: list[int], threshold: int, by: list[int], *, product: str = "demo", others: int = 7
) -> SignedRoot:
    other = [key(others).public]
    root = make_root(
        product, version, T1,
        {"root": ([key(one).public for one in roots], threshold), "channel": (other, 1), "revision": (other, 1)},
        None,
    )  # fmt: skip
    return SignedRoot(root, sign(root.to_bytes(), ROOT_PAYLOAD, [key(one) for one in by]))


def test_a_chain_is_followed_from_its_first_document():
    chain = follow(begin(document(1, [1, 2, 3], 2, [1, 3])), [document(2, [2, 3, 4], 2, [2, 3])])
    assert chain.current.version == 2
    assert [found.keyid for found in chain.former("root")] == [key(1).public.keyid]
    assert chain.current.roles_of(key(7).public.keyid) == ("channel", "revision")
    assert follow(chain, [chain.documents[0]]) is chain


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (document(2, [4, 5], 2, [4, 5]), "of document 1"),
        (document(2, [4, 5], 2, [1, 2, 4]), "signed as it must"),
        (document(2, [1, 2, 3], 2, [1]), "signed as it must"),
        (document(3, [1, 2, 3], 2, [1, 2]), "in between"),
        (document(2, [1, 2, 3], 2, [1, 2], product="x"), "another product"),
        (document(1, [1, 2, 3], 2, [1, 2], others=8), "fork"),
    ],
)
def test_what_does_not_follow_is_refused(second: SignedRoot, why: str):
    chain = begin(document(1, [1, 2, 3], 2, [1, 3]))
    with pytest.raises(TrustError) as caught:
        follow(chain, [second])
    assert why in str(caught.value)


def test_the_first_document_signs_itself_and_is_pinned_by_a_key():
    with pytest.raises(TrustError, match="not signed as it must"):
        begin(document(1, [1, 2], 2, [1, 9]))
    first, second = document(1, [1], 1, [1]), document(2, [2], 1, [1, 2])
    assert find_start([second, first], key(1).public.keyid).current.version == 2
    assert len(find_start([second, first], key(2).public.keyid).documents) == 1
    with pytest.raises(TrustError, match="not signed by the root key"):
        find_start([first, second], key(3).public.keyid)
    with pytest.raises(TrustError, match="no root document"):
        find_start([], key(3).public.keyid)
    with pytest.raises(TrustError, match="not signed by the root key"):
        begin(document(1, [1, 2], 1, [1]), keyid=key(2).public.keyid)


def their_key(public: PublicKey) -> SSlibKey:
    return SSlibKey(public.keyid, "ed25519", "ed25519", {"public": public.raw.hex()})


def their_root(version: int, roots: list[int], threshold: int, by: list[int]) -> bytes:
    """The same document as python-tuf writes it."""
    members = [key(one).public for one in roots]
    own = TheirRole(sorted(member.keyid for member in members), threshold)
    other = TheirRole([key(7).public.keyid], 1)
    root = TheirRoot(
        version=version,
        expires=datetime(2999, 1, 1, tzinfo=UTC),
        keys={each.keyid: their_key(each) for each in [*members, key(7).public]},
        roles={"root": own, "timestamp": other, "snapshot": other, "targets": other},
    )
    metadata: Metadata[TheirRoot] = Metadata(root)
    for one in by:
        metadata.sign(CryptoSigner(key(one)._key, their_key(key(one).public)), append=True)
    return metadata.to_bytes()


NUMBERS = st.sets(st.integers(1, 5), min_size=1, max_size=4)


@given(NUMBERS, NUMBERS, st.integers(1, 3), st.integers(1, 3), NUMBERS, st.integers(1, 3))
def test_python_tuf_follows_exactly_the_same_documents(
    old: set[int], new: set[int], first: int, second: int, by: set[int], version: int
):
    first, second = min(first, len(old)), min(second, len(new))
    before = document(1, sorted(old), first, sorted(old))
    after = document(version, sorted(new), second, sorted(by))
    try:
        ours = follow(begin(before), [after]).current.version == version != 1
    except TrustError:
        ours = False
    trusted = TrustedMetadataSet(their_root(1, sorted(old), first, sorted(old)), EnvelopeType.METADATA)
    try:
        trusted.update_root(their_root(version, sorted(new), second, sorted(by)))
        theirs = True
    except RepositoryError:
        theirs = False
    assert ours == theirs


def good() -> dict[str, Any]:
    return dict(json.loads(document(1, [1, 2], 1, [1]).envelope.payload))


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("version", 0, "form"), ("issued", "2026-13-01T00:00:00Z", "not a time"), ("schemaVersion", 2, "form"),
        ("more", 1, "form"), ("roles.root.threshold", 3, "nobody could ever"), ("roles.root.threshold", 0, "form"),
        ("roles.root.keyids", [], "form"), ("roles.extra", {}, "form"), ("expires", "2026-99-01T00:00:00Z", "not a"),
        ("roles.root.keyids", [key(1).public.keyid] * 2, "twice"),
        ("roles.root.keyids", [key(1).public.keyid], "differ"),
        ("roles.root.keyids", sorted(key(n).public.keyid for n in (1, 2, 3)), "differ"),
        (f"keys.{key(1).public.keyid}", key(2).public.base64, "not that of its id"),
        (f"keys.{key(1).public.keyid}", "AAAA", "not an Ed25519"),
    ],
)  # fmt: skip
def test_documents_against_themselves_are_refused(path: str, value: Any, why: str):
    document = good()
    Root.from_bytes(canonical_json(document))
    place = document
    *folders, last = path.split(".")
    for folder in folders:
        place = place[folder]
    place[last] = value
    with pytest.raises(TrustError) as caught:
        Root.from_bytes(canonical_json(document))
    assert why in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_an_explanation(data: bytes):
    for read in (Root.from_bytes, SignedRoot.from_bytes):
        with pytest.raises(PyContainerError):
            read(data)


# A product's folder, its holders, and the store between them.


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PYCONTAINER_KEYS": str(tmp_path / "keys"), "HOME": str(tmp_path)}


def started(environment: dict[str, str]) -> Chain:
    """A product that took the step to roles: one root key, one for channels, the first one for revisions."""
    product_keys("demo", environment=environment)
    assert begin_with("demo", 1, now=T1, environment=environment).in_force
    chain = load_keys("demo", environment=environment).chain
    assert chain is not None
    return chain


def names(environment: dict[str, str], role: RoleName) -> list[str]:
    return sorted(each.name for each in load_keys("demo", environment=environment).keys if role in each.roles)


def test_one_step_leads_to_roles(environment):
    started(environment)
    keys = load_keys("demo", environment=environment)
    assert [names(environment, role) for role in ("root", "channel", "revision")] == [
        ["root"],
        ["channel"],
        ["signing"],
    ]
    assert len(keys.facts_keys()) == 1
    (signer,) = keys.signers("channel", environment=environment)
    assert signer.public == keys.role("channel").keys[0]
    assert product_keys("demo", environment=environment) == keys


def test_a_key_made_for_root_or_channel_signs_no_revision(environment):
    product_keys("demo", environment=environment)
    new_key("demo", "r", role="root", environment=environment)
    assert names(environment, "revision") == names(environment, "channel") == ["signing"]
    new_key("demo", "c", role="channel", environment=environment)
    assert (names(environment, "revision"), names(environment, "channel")) == (["signing"], ["c"])
    with pytest.raises(TrustError, match="no root document"):
        load_keys("demo", environment=environment).role("root")


def test_rotating_a_revision_key_lets_the_old_one_sign_along(environment):
    started(environment)
    before = load_keys("demo", environment=environment)
    fresh, proposal = rotate("demo", "signing", now=T2, environment=environment)
    assert proposal is not None
    assert proposal.in_force
    keys = load_keys("demo", environment=environment)
    assert keys.chain is not None
    assert keys.chain.current.version == 2
    assert keys.public_keys() == [fresh.public]
    assert {signer.public for signer in keys.signers(environment=environment)} == {
        fresh.public, *before.public_keys()
    }  # fmt: skip
    assert set(keys.device_keys()) == {fresh.public, *before.public_keys()}
    nothing, files = drop("demo", "signing", now=T2, environment=environment)
    assert nothing is None
    assert [path.name for path in files] == ["signing.key.pem", "signing.pub.json"]
    assert len(load_keys("demo", environment=environment).signers(environment=environment)) == 1


def test_a_root_key_is_rotated_by_the_old_and_the_new(environment):
    started(environment)
    _, proposal = rotate("demo", "root", now=T2, environment=environment)
    assert proposal is not None
    assert proposal.in_force
    assert len(proposal.document.envelope.signatures) == 2
    assert names(environment, "root") == ["root-2"]


def test_without_root_documents_a_rotation_holds_at_once(environment):
    product_keys("demo", environment=environment)
    fresh, proposal = rotate("demo", "signing", now=T1, environment=environment)
    assert (proposal, fresh.name) == (None, "signing-2")
    keys = load_keys("demo", environment=environment)
    assert keys.public_keys() == [fresh.public]
    assert len(keys.signers(environment=environment)) == len(keys.device_keys()) == 2
    third, _ = rotate("demo", "signing-2", now=T1, environment=environment)
    assert third.name == "signing-3"
    with pytest.raises(ConfigError, match="has no role"):
        rotate("demo", "signing", now=T1, environment=environment)
    with pytest.raises(TrustError, match="cannot be removed"):
        drop("demo", "signing-3", now=T1, environment=environment)


def test_two_holders_sign_on_their_own_machines(environment, tmp_path: Path):
    """k of n, offline: the document travels as a file, in any order."""
    holders = [{"PYCONTAINER_KEYS": str(tmp_path / name), "HOME": "/"} for name in ("alice", "bob", "carol")]
    roots = [new_key("demo", "me", role="root", environment=holder).public for holder in holders]
    product_keys("demo", environment=environment)
    for name, public in zip(("alice", "bob", "carol"), roots, strict=True):
        add_public_key("demo", name, public, role="root", environment=environment)
    waiting = begin_with("demo", 2, now=T1, environment=environment)
    assert not waiting.in_force
    assert waiting.path is not None
    assert len(waiting.lacking) == 1
    assert waiting.lacking[0].startswith("2 more of the root keys of document 1")
    assert load_keys("demo", environment=environment).chain is None
    blank = waiting.path.read_bytes()
    by_bob = sign_root(blank, environment=holders[1])
    half = take_roots("demo", [by_bob], environment=environment)
    assert half is not None
    assert not half.in_force
    whole = take_roots("demo", [sign_root(blank, environment=holders[2])], environment=environment)
    assert whole is not None
    assert whole.in_force
    assert not waiting.path.exists()
    with pytest.raises(TrustError, match="no key here may sign"):
        sign_root(blank, environment=environment)
    # A change needs the old holders again.
    change = propose("demo", threshold_of("root", 3), now=T2, environment=environment)
    assert change.lacking == (
        "2 more of the root keys of document 1: " + ", ".join(sorted(each.keyid[:12] for each in roots)),
        "3 more of the root keys of document 2: " + ", ".join(sorted(each.keyid[:12] for each in roots)),
    )
    with pytest.raises(TrustError, match="nobody could ever sign"):
        propose("demo", threshold_of("root", 4), now=T2, environment=environment)


def test_editing_what_waits_drops_its_signatures(environment):
    started(environment)
    folder = keys_folder("demo", environment)
    (folder / "root.key.pem").rename(folder / "away")
    one = new_key("demo", "next", role="revision", environment=environment)
    two = new_key("demo", "more", role="revision", environment=environment)
    first = propose("demo", give("revision", one.public), now=T2, environment=environment)
    second = propose("demo", give("revision", two.public), now=T2, environment=environment)
    assert not first.in_force
    assert len(second.document.root.role("revision").keys) == 3, "both changes are in one document"
    (folder / "away").rename(folder / "root.key.pem")
    assert second.path is not None
    done = take_roots("demo", [sign_root(second.path.read_bytes(), environment=environment)], environment=environment)
    assert done is not None
    assert done.in_force


def test_a_clone_pins_a_root_key_and_follows_offline(environment, tmp_path: Path):
    chain = started(environment)
    store = Store.open_or_create(tmp_path / "store")
    publish_roots(store, chain)
    rotate("demo", "root", now=T2, environment=environment)
    newest = load_keys("demo", environment=environment).chain
    assert newest is not None
    publish_roots(store, newest)
    assert publish_roots(store, newest) == publish_roots(store, newest)
    assert [each.root.version for each in read_roots(store)] == [1, 2]
    assert fsck(store).whole
    digests = [store.tags()[f"root/{number}"].digest for number in (1, 2)]
    clone = {"PYCONTAINER_KEYS": str(tmp_path / "clone"), "HOME": "/"}
    other = Store.open_or_create(tmp_path / "other")
    for digest in digests:
        other.put_blob(store.blob_path(digest))
        for part in (store.read_manifest(digest).config, *store.read_manifest(digest).layers):
            other.put_blob(store.blob_path(part.digest))
    with pytest.raises(ConfigError, match="nothing is known yet"):
        accept_roots(other, digests, "demo", environment=clone)
    with pytest.raises(TrustError, match="not signed by the root key"):
        accept_roots(other, digests, "demo", keyid="0" * 64, environment=clone)
    assert other.tags() == {}
    assert accept_roots(other, [], "demo", environment=clone) == []
    pinned = chain.current.role("root").keys[0].keyid
    assert len(accept_roots(other, digests, "demo", keyid=pinned, environment=clone)) == 2
    assert sorted(other.tags()) == ["root/1", "root/2"]
    keys = load_keys("demo", environment=clone)
    assert keys.public_keys() == load_keys("demo", environment=environment).public_keys()
    with pytest.raises(TrustError, match="no private key"):
        keys.signers(environment=clone)


def test_another_chain_in_the_store_is_a_fork(environment, tmp_path: Path):
    chain = started(environment)
    store = Store.open_or_create(tmp_path / "store")
    publish_roots(store, begin(document(1, [1], 1, [1])))
    with pytest.raises(TrustError, match="another root document"):
        publish_roots(store, chain)


def test_a_damaged_document_in_the_folder_is_named(environment):
    started(environment)
    path = keys_folder("demo", environment) / "root" / "1.json"
    data = path.read_bytes()
    path.write_bytes(document(1, [1], 1, [2]).envelope.to_bytes())
    with pytest.raises(TrustError, match="not signed as it must"):
        load_keys("demo", environment=environment)
    path.write_bytes(document(2, [1], 1, [1]).envelope.to_bytes())
    with pytest.raises(TrustError, match="not what its name says"):
        load_keys("demo", environment=environment)
    path.write_bytes(data)
    assert load_keys("demo", environment=environment).chain is not None
