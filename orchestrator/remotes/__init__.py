# SPDX-License-Identifier: MIT
"""Remotes: registries, other stores, folders and bundles that a product's revisions go to and come from.

config = load_remotes(root, product.registry)           # .pycontainer/config; config.named("origin").location
with open_peer(location, write=True) as peer:           # a registry, a store, a product's folder, a bundle
    work = Work(peer, "origin", store, trusted_here(load_keys(product)))
    push_channel(work, channel("main", machine), revision, keys.signers())      # blobs, then the signed pointer
    for each in fetch(work, peer.listing(), [channel("main", machine)]):        # verified before it is taken
        pull(work, each)                                # DivergedError (7) unless it leads forward
    push_release(work, release, channel="main")         # of a product with several machines, after its revisions
    take_releases(work)                                 # those that were fetched and say what the heads here are
    look(peer, peer.listing(tags=True))                 # names, and what their signatures are worth
    clone(CloneRequest(location), peer, checkout)       # a folder of its own; first contact shows the keys
"""

from __future__ import annotations

from orchestrator.oci.copying import Moved
from orchestrator.remotes.cloning import Cloned, CloneRequest, clone
from orchestrator.remotes.config import ORIGIN, RemoteConfig, RemoteEntry, load_remotes
from orchestrator.remotes.fetching import (
    DivergedError,
    Fetched,
    Pulled,
    fetch,
    forget,
    pull,
    pull_all,
    wanted_channels,
    wanted_of,
)
from orchestrator.remotes.listing import Seen, Signed, look
from orchestrator.remotes.location import Location, parse_location
from orchestrator.remotes.naming import MAIN, Channel, channel
from orchestrator.remotes.peer import Listing, Peer, open_peer
from orchestrator.remotes.products import Plan, Sent, plan_push, push
from orchestrator.remotes.pushing import Pushed, check_tag, check_tags_there, push_channel, push_revision, push_roots
from orchestrator.remotes.releasing import check_release_there, push_release, take_releases, why_not
from orchestrator.remotes.tags import FetchedTag, fetch_tag
from orchestrator.remotes.trusted import Trusted, known_keys, trusted_here
from orchestrator.remotes.work import Work

__all__ = [
    "MAIN",
    "ORIGIN",
    "Channel",
    "CloneRequest",
    "Cloned",
    "DivergedError",
    "Fetched",
    "FetchedTag",
    "Listing",
    "Location",
    "Moved",
    "Peer",
    "Plan",
    "Pulled",
    "Pushed",
    "RemoteConfig",
    "RemoteEntry",
    "Seen",
    "Sent",
    "Signed",
    "Trusted",
    "Work",
    "channel",
    "check_release_there",
    "check_tag",
    "check_tags_there",
    "clone",
    "fetch",
    "fetch_tag",
    "forget",
    "known_keys",
    "load_remotes",
    "look",
    "open_peer",
    "parse_location",
    "plan_push",
    "pull",
    "pull_all",
    "push",
    "push_channel",
    "push_release",
    "push_revision",
    "push_roots",
    "take_releases",
    "trusted_here",
    "wanted_channels",
    "wanted_of",
    "why_not",
]
