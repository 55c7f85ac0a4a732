# SPDX-License-Identifier: MIT
"""The history of a product: revisions with parents and messages, channels whose heads move, tags, and ways back.

names = Names(store, machine)                   # channel="main"; .load("main~1"), .find("v1.2"), .head()
recorded = commit(names, keys, "Say hello")     # the candidate becomes the head: recorded.revision, .parent
revert(names, keys, "HEAD~2")                   # a new head without what that revision changed
compare(before, after)                          # layers, versions, sizes, settings; .fetch
Graph(store).walk([tip])                        # children before parents, read fast
collect(store, machine=None, dry_run=True)      # garbage; see `gc`
"""
