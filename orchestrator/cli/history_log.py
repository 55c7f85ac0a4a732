# SPDX-License-Identifier: MIT
"""`pycontainer log`: revisions, newest first, with their names; lines are drawn where histories part or meet."""

from __future__ import annotations

import itertools
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from orchestrator.cli.history_common import opened
from orchestrator.cli.history_graph import Drawing
from orchestrator.cli.plain import Paint
from orchestrator.cli.result import Result
from orchestrator.errors import PyContainerError
from orchestrator.history.graph import Commit, Graph
from orchestrator.history.names import HEAD, Names, is_user_tag, release_of
from orchestrator.history.several import meant
from orchestrator.oci.layout import THINNED
from orchestrator.text import shown


def log(options: Namespace) -> Result:
    """`pycontainer log`."""
    product, _, names = opened(options)
    graph = Graph(names.store)
    machines = [names.machine] if options.machine else product.machines
    tips = _tips(names, machines, options)
    commits = list(itertools.islice(graph.walk(tips), options.max_count))
    references = decorations(names, machines)
    several = len({commit.machine for commit in commits}) > 1
    here = {commit.id for commit in commits}
    branching = any(len(commit.parents) > 1 for commit in commits) or len(_heads(commits)) > 1
    signed = _Signatures(product.product, names) if options.show_signature else None
    thin = {entry.digest for entry in names.store.entries() if THINNED in entry.annotations}
    if options.json:
        return Result("", {"revisions": [_data(each, references, signed, graph, thin) for each in commits]})
    paint = Paint()
    drawing = Drawing(here, paint) if options.graph or branching else None
    lines: list[str] = []
    for position, commit in enumerate(commits):
        text = _lines(commit, references.get(commit.id, []), signed, graph, thin, options.oneline, several, paint)
        if not options.oneline and position < len(commits) - 1:
            text.append("")
        lines += drawing.lines(commit, text) if drawing else text
    return Result("\n".join(lines))


def _tips(names: Names, machines: Sequence[str], options: Namespace) -> list[str]:
    words = options.revision or ([] if options.all else [HEAD])
    tips = [each.id for word in words for each in meant(names, word, machines, options.machine, every=True).revisions]
    if not options.all:
        return list(dict.fromkeys(tips))
    known = Graph(names.store).known()
    tags = [entry for tag, entry in names.store.tags().items() if is_user_tag(tag)]
    for each in _of(names, machines):
        tips += [entry.digest for entry in (*each.channels().values(), *each.remotes().values())]
        tips += [digest for entry in tags if (digest := each.meant(entry)) is not None and digest in known]
    return list(dict.fromkeys(tips))


def _of(names: Names, machines: Sequence[str]) -> list[Names]:
    return [replace(names, machine=each) for each in machines]


def _heads(commits: Sequence[Commit]) -> set[str]:
    parents = {parent for commit in commits for parent in commit.parents}
    return {commit.id for commit in commits} - parents


def decorations(names: Names, machines: Sequence[str]) -> dict[str, list[str]]:
    """Return what stands for each revision, as git shows it: HEAD -> main, other channels, releases, tags, remotes."""
    found: dict[str, list[str]] = {}
    every = _of(names, machines)
    for each in every:
        for channel, entry in each.channels().items():
            text = f"HEAD -> {channel}" if channel == names.channel else channel
            found.setdefault(entry.digest, []).insert(0 if channel == names.channel else len(found[entry.digest]), text)
    for tag, entry in names.store.tags().items():
        word = f"tag: {tag}" if is_user_tag(tag) else f"release: {line}" if (line := release_of(tag)) else ""
        for digest in dict.fromkeys(each.meant(entry) for each in every) if word else ():
            if digest is not None:
                found.setdefault(digest, []).append(word)
    for each in every:
        for remote, entry in each.remotes().items():
            found.setdefault(entry.digest, []).append(remote)
    return found


class _Signatures:
    """Who signed each revision, verified by the product's keys."""

    def __init__(self, product: str, names: Names) -> None:
        from orchestrator.revision import read_revision
        from orchestrator.trust import load_keys, verify_revision

        keys = load_keys(product)
        called = {key.public.keyid: key.name for key in keys.keys}

        def verify(digest: str) -> tuple[bool, str]:
            try:
                revision = read_revision(names.store, digest)
                report = verify_revision(
                    names.store, revision, keys.public_keys(), keys.threshold, product=product, blobs=False
                )
            except PyContainerError as problem:
                return False, problem.why or problem.what
            return True, ", ".join(f"{called.get(each, '?')} ({each[:12]})" for each in report.keyids)

        self.of = verify


def _lines(
    commit: Commit, references: list[str], signed: _Signatures | None, graph: Graph, thin: set[str], short: bool,
    several: bool, paint: Paint,
) -> list[str]:  # fmt: skip
    names = paint(f" ({', '.join(map(shown, references))})", "cyan") if references else ""
    good, who = signed.of(commit.id) if signed else (True, "")
    mark = paint("signed " if good else "UNSIGNED ", "green" if good else "red") if signed else ""
    subject = shown(commit.subject) or paint("(no message)", "dim")
    machine = f" for {shown(commit.machine)}" if several else ""
    if short:
        return [f"{paint(commit.short, 'yellow')}{names} {mark}{shown(commit.version)}{machine}  {subject}"]
    lines = [f"{paint('revision ' + commit.id[7:], 'yellow')}{names}"]
    if len(commit.parents) > 1:
        lines.append("Parents:  " + " ".join(parent[7:19] for parent in commit.parents))
    if signed:
        lines.append(f"Signed:   {paint('by ' + who, 'green') if good else paint('NOT VALID: ' + who, 'red')}")
    lines.append(f"Version:  {shown(commit.product)} {shown(commit.version)} for {shown(commit.machine)}")
    lines.append(f"Date:     {commit.created}")
    if any(not graph.has(parent) for parent in commit.parents):
        lines.append("History:  goes on elsewhere, the parent is not in this store")
    if commit.id in thin:
        lines.append("Blobs:    given up (gc --keep); pull or build it again to install it")
    lines.append("")
    lines += [f"    {shown(line)}".rstrip() for line in commit.message.strip().splitlines() or ["(no message)"]]
    return lines


def _data(
    commit: Commit, references: dict[str, list[str]], signed: _Signatures | None, graph: Graph, thin: set[str]
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "revision": commit.id,
        "parents": list(commit.parents),
        "message": commit.message,
        "created": commit.created,
        "product": commit.product,
        "version": commit.version,
        "machine": commit.machine,
        "names": references.get(commit.id, []),
        "shallow": any(not graph.has(parent) for parent in commit.parents),
        "thin": commit.id in thin,
    }
    if signed is not None:
        good, who = signed.of(commit.id)
        data["signature"] = {"valid": good, "detail": who}
    return data
