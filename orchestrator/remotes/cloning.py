# SPDX-License-Identifier: MIT
"""Cloning: a product folder, or a bare store, out of a remote, made whole or not at all.

It is made beside its place under a name of its own, which another try goes on with, and gets its name last.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.canonical import make_folders, sync_folder
from orchestrator.errors import ConfigError, FetchError, TrustError, TryAgainError, VerificationError
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved, Tell
from orchestrator.oci.files import exclusive_lock
from orchestrator.remotes.config import ORIGIN, RemoteConfig
from orchestrator.remotes.fetching import Pulled, fetch, pull, wanted_channels
from orchestrator.remotes.location import Location
from orchestrator.remotes.looking import bring_as, glimpse
from orchestrator.remotes.naming import MAIN, Channel
from orchestrator.remotes.peer import Listing, Peer
from orchestrator.remotes.releasing import take_releases
from orchestrator.remotes.roots import bring_roots
from orchestrator.remotes.trusted import (
    How,
    Trusted,
    demand,
    first_contact,
    given_keys,
    known_keys,
    pin,
    plain_id,
    trusted_here,
)
from orchestrator.remotes.work import Work
from orchestrator.revision import Revision, decode_release, is_release
from orchestrator.trust import PublicKey, load_keys
from orchestrator.trust.channel import POINTER_TYPE, read_pointer
from orchestrator.trust.published import accept_roots, read_root

Checkout = Callable[[Store, Sequence[Revision], Path], list[str] | None]
"""Writes the product file and pins of revisions, one a machine, into a folder; returns what was too large to be kept
with them, or None when they have no sources."""


@dataclass(frozen=True)
class CloneRequest:
    """What to clone: the remote; where to (None: named after the product); which channel and machine of it.

    `keys` are public keys of which one must have signed, `keyids` ids that must be among the trusted ones.
    """

    location: Location
    folder: Path | None = None
    channel: str = MAIN
    machine: str = ""
    bare: bool = False
    depth: int | None = None
    keys: tuple[PublicKey, ...] = ()
    keyids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cloned:
    """What was made: the folder, its channels, and whose signatures were believed.

    `absent` are files of the product that the revision does not hold, None when it holds none at all; `machine` is what
    was asked for, empty for all.
    """

    folder: Path
    pulled: tuple[Pulled, ...]
    trusted: Trusted
    pinned: tuple[str, ...]
    absent: tuple[str, ...] | None
    bare: bool
    machine: str = ""


def clone(
    request: CloneRequest,
    peer: Peer,
    checkout: Checkout,
    *,
    tell: Tell = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> Cloned:
    """Make a clone; what another command left half done is gone on with.

    Raises ConfigError when the folder is not empty or it is not clear what to clone, TrustError (exit code 7) when it
    is not signed as required or a demanded key is not among the trusted ones.
    """
    listing = peer.listing(tags=True)
    chosen = _choose(peer, listing, request, say)
    channel = chosen[0]
    folder = request.folder or Path(_product_of(peer, listing, channel) + (".store" if request.bare else ""))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        _forget_done(folder)
        raise ConfigError(f"{folder} is there already", "a clone is made in a new folder", "name another one")
    target = folder.resolve()
    make_folders(target.parent)
    work_folder, lock = _beside(target)
    with exclusive_lock(lock, timeout=0.1), _kept_to_go_on(work_folder, lock):
        store = Store.open_or_create(work_folder / "store")
        trusted, first = _decide(request, peer, listing, channel, store, tell)
        work = Work(peer, ORIGIN, store, trusted, tell, say)
        names = sorted({*listing.pointers, *listing.heads}) if request.bare else chosen
        pulled = tuple(pull(work, each) for each in fetch(work, listing, names, request.depth))
        take_releases(work)
        fetched = replace(pulled[0].fetched, moved=pulled[0].fetched.moved + first)
        pulled = (replace(pulled[0], fetched=fetched), *pulled[1:])
        for each in pulled:
            demand_signers(each, request, trusted)
        pinned: tuple[str, ...] = ()
        if trusted.how != "known" and not listing.roots:
            pinned = tuple(pin(trusted, ORIGIN))
        absent = _lay_out(request, store, [each.fetched.revision for each in pulled], work_folder, checkout)
        made = work_folder / ("store" if request.bare else "product")
        if target.exists():
            target.rmdir()
        made.replace(target)
        sync_folder(target.parent)
        shutil.rmtree(work_folder, ignore_errors=True)
    lock.unlink(missing_ok=True)
    return Cloned(folder, pulled, trusted, pinned, absent, request.bare, request.machine)


def _beside(target: Path) -> tuple[Path, Path]:
    """Return where a clone is made, and its lock."""
    return target.with_name(f".{target.name}.clone"), target.with_name(f".{target.name}.clone.lock")


def _forget_done(folder: Path) -> None:
    """Remove what a clone that was killed when it was done left beside it; never what one can go on with."""
    work_folder, lock = _beside(folder.resolve())
    if lock.is_file() and not (work_folder / "store").exists():
        with suppress(TryAgainError), exclusive_lock(lock, timeout=0):
            shutil.rmtree(work_folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def _kept_to_go_on(folder: Path, lock: Path) -> Iterator[None]:
    """Keep what has come when the line fails, and nothing of what was not to be trusted."""
    try:
        yield
    except TrustError:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        raise


def demand_signers(pulled: Pulled, request: CloneRequest, trusted: Trusted) -> None:
    """Raise TrustError unless each key that was demanded is trusted and one of them signed the revision."""
    if not request.keyids or trusted.by_roots:
        return
    demand(trusted, request.keyids)
    wanted = [word.lower().removeprefix("sha256:") for word in request.keyids]
    if not any(keyid.startswith(word) for keyid in pulled.fetched.signed_by for word in wanted):
        raise TrustError(
            f"revision {pulled.fetched.revision.short} is not signed by the key demanded",
            f"it is signed by {', '.join(keyid[:16] for keyid in pulled.fetched.signed_by)}",
            "do not use it; ask whoever gave you the id",
        )


def _choose(peer: Peer, listing: Listing, request: CloneRequest, say: Callable[[str], None]) -> list[Channel]:
    """Return the channels to be cloned, the one to be checked out first.

    Without a machine they are those of the channel's release, in its order, and `say` tells which it lacks; where there
    is none, and several machines, it must be clear which. The release is only asked for its names here: it is verified
    when it is fetched.
    """
    there = sorted(each for each in {*listing.pointers, *listing.heads} if each.name == request.channel)
    machines = [each.machine for each in there]
    several = len(there) > 1 and not request.machine and not request.bare
    if several and (chosen := _of_release(peer, listing, request.channel, there, say)):
        lacking = [each.machine for each in there if each not in chosen]
        if lacking:
            say(f"the release of {request.channel} has no {', '.join(lacking)}: clone that with --machine")
        return chosen
    if several:
        raise ConfigError(
            f"the remote has {request.channel} for several machines", ", ".join(machines), f"--machine {machines[0]}"
        )
    return wanted_channels(listing, request.machine or (machines[0] if machines else ""), [request.channel])


def _of_release(
    peer: Peer, listing: Listing, name: str, there: Sequence[Channel], say: Callable[[str], None]
) -> list[Channel]:
    """Return those channels that the release of a channel names, in its order.

    None when it has no release, and when nobody can read it, which `say` tells: that one counts for nothing.
    """
    digest = listing.releases.get(name)
    if digest is None:
        return []
    try:
        data = peer.document(digest)
        named = decode_release(data, digest, FetchError).machines if is_release(data) else {}
    except (FetchError, VerificationError) as problem:
        say(f"the release of {name} there cannot be read: {problem.what}: {problem.why}")
        return []
    return [each for machine in named if (each := Channel(name, machine)) in there]


def _product_of(peer: Peer, listing: Listing, channel: Channel) -> str:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="pycontainer-") as folder:
        store = Store.open_or_create(Path(folder) / "store")
        return _revision_of(peer, listing, channel, store).config.product


def _revision_of(peer: Peer, listing: Listing, channel: Channel, store: Store) -> Revision:
    digest = listing.pointers.get(channel)
    if digest is None:
        return glimpse(peer, store, listing.heads[channel])
    bring_as(peer, store, digest, POINTER_TYPE)
    return glimpse(peer, store, read_pointer(store, digest).pointer.revision)


def _decide(
    request: CloneRequest, peer: Peer, listing: Listing, channel: Channel, store: Store, tell: Tell
) -> tuple[Trusted, Moved]:
    """Return whose signatures count, and what had to come to know it.

    They are keys that were named, else those known here, else those of the first contact.
    """
    moved = Moved()
    revision = _revision_of(peer, listing, channel, store)
    product = revision.config.product
    known = known_keys(product)
    if listing.roots:
        return _by_roots(request, peer, listing, store, product, known), moved
    if request.keys:
        if known is not None:
            _agree(known, request.keys)
        return known or given_keys(product, request.keys), moved
    if known is None:
        moved = peer.bring(revision.id, store, tell)  # the host image says whom its devices trust
        known = first_contact(store, revision)
    demand(known, request.keyids)
    return known, moved


def _by_roots(
    request: CloneRequest, peer: Peer, listing: Listing, store: Store, product: str, known: Trusted | None
) -> Trusted:
    """Follow the product's root documents from those known here, from a root key that was named, or from the first."""
    digests = bring_roots(peer, listing, store)
    roots = [read_root(store, digest, number) for number, digest in digests.items()]
    keyids = {key.keyid for each in roots for key in each.root.role("root").keys}
    wanted = [key.keyid for key in request.keys]
    wanted += [keyid for word in request.keyids for keyid in keyids if keyid.startswith(plain_id(word))]
    if (request.keys or request.keyids) and not set(wanted) & keyids:
        raise TrustError(
            f"no root document of {product} has the key demanded",
            f"its root keys are {', '.join(sorted(keyid[:16] for keyid in keyids))}",
            "do not use it; ask whoever gave you the key, over another way",
        )
    keyid = next((each for each in wanted if each in keyids), None)
    accept_roots(store, digests.values(), product, keyid=keyid, first=known is None and keyid is None)
    how: How = "known" if known is not None else "given" if keyid else "first contact"
    return replace(trusted_here(load_keys(product)), how=how, by_roots=True)


def _agree(known: Trusted, keys: Sequence[PublicKey]) -> None:
    for key in keys:
        if key.keyid not in known.keyids:
            raise TrustError(
                f"this machine trusts other keys for {known.product}",
                f"{key.keyid[:16]} is not among {', '.join(keyid[:16] for keyid in known.keyids)}",
                "look at them (pycontainer key), and remove or add what is wrong",
            )


def _lay_out(
    request: CloneRequest, store: Store, revisions: Sequence[Revision], folder: Path, checkout: Checkout
) -> tuple[str, ...] | None:
    """Make the product's folder around the store; returns what `Cloned.absent` is."""
    if request.bare:
        return None
    product = folder / "product"
    shutil.rmtree(product, ignore_errors=True)
    product.mkdir()
    absent = checkout(store, revisions, product)
    RemoteConfig(product).add(ORIGIN, _lasting(request.location)).write()
    (folder / "store").replace(product / ".pycontainer" / "store")
    sync_folder(product / ".pycontainer")
    return None if absent is None else tuple(absent)


def _lasting(location: Location) -> str:
    """Return a place that means the same seen from the product's folder."""
    return str(location.path.resolve()) if location.path is not None else str(location.reference and location.text)
