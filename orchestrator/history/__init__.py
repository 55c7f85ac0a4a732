# SPDX-License-Identifier: MIT
"""The history of a product: revisions with parents and messages, channels whose heads move, tags, and ways back.

names = Names(store, machine)                   # channel="main"; .load("main~1"), .find("v1.2"), .head()
recorded = commit(names, keys, "Say hello")     # the candidate becomes the head: recorded.revision, .parent
revert(names, keys, "HEAD~2")                   # a new head without what that revision changed
compare(before, after)                          # layers, versions, sizes, settings; .fetch
Graph(store).walk([tip])                        # children before parents, read fast
collect(store, machine=None, dry_run=True)      # garbage; see `gc`
"""

from __future__ import annotations

from orchestrator.history.compare import Comparison, compare
from orchestrator.history.graph import Commit, Graph
from orchestrator.history.names import DEFAULT_CHANNEL, Names, channel_tag, check_channel, check_tag, remote_tag
from orchestrator.history.record import Recorded, clean_message, commit, state

__all__ = [
    "DEFAULT_CHANNEL",
    "Commit",
    "Comparison",
    "Graph",
    "Names",
    "Recorded",
    "channel_tag",
    "check_channel",
    "check_tag",
    "clean_message",
    "commit",
    "compare",
    "remote_tag",
    "state",
]
