# SPDX-License-Identifier: MIT
"""`pycontainer init`, `commit`, `tag`, `checkout`, `revert`, `gc` and `fsck`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.canonical import read_limited
from orchestrator.cli import releases
from orchestrator.cli.history_common import change_lines, named, opened
from orchestrator.cli.plain import Paint, columns, count
from orchestrator.cli.result import Result
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.history import revert as reverting
from orchestrator.history.compare import compare
from orchestrator.history.names import CANDIDATE, HEAD, Names
from orchestrator.history.record import MESSAGE_LIMIT, Recorded, clean_message, state
from orchestrator.history.record import commit as commit_candidate
from orchestrator.history.releases import Grouped, commit_all
from orchestrator.history.several import common_source, meant
from orchestrator.history.source import read_source
from orchestrator.history.worktree import check_out
from orchestrator.oci import Store
from orchestrator.product.template import make_product
from orchestrator.product.units import format_size
from orchestrator.revision import candidate_tag, read_revision
from orchestrator.text import shown
from orchestrator.trust import load_keys, product_keys


def init(options: Namespace) -> Result:
    """`pycontainer init`."""
    from orchestrator.build.kas import configuration
    from orchestrator.machines.read import checkout as repository
    from orchestrator.machines.read import emulated, usual_base, usual_machine

    home = repository()
    machine = options.machine or usual_machine(home, options.base or "debian")
    base = options.base or usual_base(home, machine)
    configuration(home, base, machine)  # a machine that the base does not have, above all
    made = make_product(options.folder, options.name, machine, base)
    where = "" if made.folder.resolve() == Path.cwd() else f" -C {shlex.quote(str(options.folder))}"
    build = "" if not where else f" {shlex.quote(str(options.folder))}"
    image = shlex.quote(str(options.folder / "build" / f"{made.name}-{machine}.img"))
    start = (
        (f"pycontainer run{build}", "boot it here, in QEMU")
        if machine in emulated(home, base)
        else (f"pycontainer flash {image} /dev/sdX", "write it to a disk")
    )
    text = "\n".join(
        [
            f"Made the product {made.name} for {made.machine} in {made.folder}",
            *(f"  {path}" for path in made.files),
            "",
            "Next:",
            *columns(
                [
                    (f"pycontainer build{build}", "the host, the layers, a signed revision and an image"),
                    start,
                    (f'pycontainer commit{where} -m "First"', "the first revision of the channel main"),
                ],
                indent=2,
            ),
        ]
    )
    data = {"product": made.name, "machine": made.machine, "folder": str(made.folder), "files": list(made.files)}
    return Result(text, data)


def commit(options: Namespace) -> Result:
    """`pycontainer commit`."""
    product, _, names = opened(options)
    machines = [names.machine] if options.machine else product.machines
    message = _message(options, [replace(names, machine=each) for each in machines])
    keys = product_keys(product.product)
    if len(machines) == 1:
        done = commit_candidate(names, keys, message, allow_empty=options.allow_empty)
        return _recorded(done, releases.renewed(product, names, keys))
    return releases.committed(
        commit_all(names.store, machines, names.channel, keys, message, allow_empty=options.allow_empty)
    )


def revert(options: Namespace) -> Result:
    """`pycontainer revert`."""
    product, _, names = opened(options)
    message = clean_message(options.message) if options.message else ""
    keys = product_keys(product.product)
    if len(product.machines) > 1 and not options.machine:
        return releases.committed(
            reverting.revert_all(names, keys, options.revision, product.machines, message, whole=options.to),
            "as before",
        )
    work = reverting.restore if options.to else reverting.revert
    done = work(names, keys, options.revision, message)
    return _recorded(done, releases.renewed(product, names, keys))


def _recorded(done: Recorded, grouped: Grouped | None) -> Result:
    paint = Paint()
    lines = [*releases.recorded_lines(done, paint), *releases.grouped_lines(grouped, paint)]
    return Result("\n".join(lines), releases.recorded_data(done, grouped))


def _message(options: Namespace, machines: Sequence[Names]) -> str:
    if options.message:
        return clean_message("\n\n".join(options.message))
    if options.file == "-":
        return clean_message(sys.stdin.read(MESSAGE_LIMIT + 1))
    if options.file:
        try:
            return clean_message(read_limited(Path(options.file), 4 * MESSAGE_LIMIT).decode())
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"{options.file} cannot be read", str(problem), "name a text file") from problem
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("what changed?", "there is no message, and no terminal to write one on", "add -m MESSAGE")
    return _edited(_proposal(machines, options.allow_empty))


def _proposal(machines: Sequence[Names], allow_empty: bool) -> str:
    """What the editor shows: an empty first line, and what will be committed as comments."""
    changes: list[str] = []
    for names in machines:
        if len(machines) > 1 and names.store.resolve(candidate_tag(names.machine)) is None:
            continue
        candidate = names.load(CANDIDATE)
        head = names.load(HEAD) if names.head() else None
        if head is not None and state(head.config) == state(candidate.config) and not allow_empty:
            continue
        changes += [f"for {names.machine}:"] if len(machines) > 1 else []
        changes += change_lines(compare(head, candidate), Paint(on=False), indent=2)
    channel = machines[0].channel
    if not changes:
        raise ConfigError("nothing to commit", f"the candidate is what {channel} has", "build a change first")
    head_line = f"On channel {channel}. Lines that begin with # are left out; an empty message commits nothing."
    return "\n".join(["", f"# {head_line}", "#", "# Changes to be committed:", *(f"# {line}" for line in changes), ""])


def _edited(text: str) -> str:
    """Let the user write a message in the editor of the environment, as git does."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="pycontainer-") as folder:
        path = Path(folder) / "COMMIT_EDITMSG"
        path.write_text(text)
        try:
            done = subprocess.run([*shlex.split(editor), str(path)], check=False)
        except (OSError, ValueError) as problem:
            raise ConfigError(
                f"the editor {editor!r} cannot be run", str(problem), "set EDITOR, or add -m"
            ) from problem
        if done.returncode != 0:
            raise ConfigError(f"the editor {editor!r} ended with {done.returncode}", "nothing was committed", "")
        return clean_message(read_limited(path, 4 * MESSAGE_LIMIT).decode(errors="replace"), comments=True)


def checkout(options: Namespace) -> Result:
    """`pycontainer checkout`."""
    product, place, names = opened(options)
    revisions = meant(names, options.revision, product.machines, options.machine).revisions
    revision = revisions[0]
    listed = common_source(names.store, revisions)
    if listed is None:
        raise ConfigError(
            f"revision {revision.short} has no source of the product",
            "it was made by revert out of several revisions, or by an older release",
            "check out the revision before it, or one that a build made",
        )
    root = place.root
    if options.into is not None:
        root = options.into
        if root.exists() and any(root.iterdir()) and not options.force:
            raise ConfigError(
                f"{root} is not empty", "files in it might be overwritten", "name a new folder, or --force"
            )
        root.mkdir(parents=True, exist_ok=True)
    machines = dict.fromkeys([names.machine, *product.machines, *(each.config.machine for each in revisions)])
    states = [digest for each in machines for digest in _recorded_states(replace(names, machine=each))]
    known = [each for digest in states if (each := read_source(names.store, digest)) is not None]
    done = check_out(names.store, listed, root, known, force=options.force)
    what = ", ".join(named(each, Paint()) for each in revisions)
    lines = [f"{len(done.written)} written, {len(done.removed)} removed, {done.unchanged} as they were: {what}"]
    lines += [f"  wrote    {shown(path)}" for path in done.written]
    lines += [f"  removed  {shown(path)}" for path in done.removed]
    lines += [f"  missing  {shown(path)}: too large to be kept with the revision, put it there" for path in done.absent]
    lines += [f"  kept     {shown(path)}: not of that revision, and a build takes it in" for path in done.foreign]
    pinned = any(file.resolved for file in listed.files)
    if len(revisions) > 1 and not pinned:
        lines.append("no pins were written: each machine's are its own (checkout --machine MACHINE writes one's)")
    if any(file.resolved and file.path in done.written for file in listed.files):
        lines.append("pycontainer.lock pins what that revision was built from; pycontainer lock --update renews it")
    data = {
        "revision": revision.id, "revisions": [each.id for each in revisions],
        "folder": str(root), "written": done.written, "removed": done.removed,
        "unchanged": done.unchanged, "missing": done.absent, "foreign": done.foreign,
    }  # fmt: skip
    return Result("\n".join(lines), data)


def _recorded_states(names: Names) -> list[str]:
    """The revisions whose sources the product's folder may hold: the candidate's, and those of the channel."""
    found = [entry.digest for entry in (names.store.resolve(candidate_tag(names.machine)),) if entry]
    for entry in names.channels().values():
        digest: str | None = entry.digest
        while digest is not None and names.store.has_blob(digest) and digest not in found:
            found.append(digest)
            parents = read_revision(names.store, digest).config.parents
            digest = parents[0] if parents else None
    return found


def gc(options: Namespace) -> Result:
    """`pycontainer gc`."""
    from orchestrator.history.gc import collect

    _, place, _ = opened(options)
    done = collect(Store.open(place.store), keep=options.keep, dry_run=options.dry_run)
    verb = "would remove" if options.dry_run else "removed"
    revisions = f"{count(len(done.revisions), 'revision')} with {count(done.attachments, 'attachment')}"
    lines = [f"{verb} {revisions}, {count(done.blobs, 'blob')}, {format_size(done.bytes)}"]
    if done.thinned:
        word = "would give up" if options.dry_run else "gave up"
        lines.append(f"{word} the blobs of {count(len(done.thinned), 'old revision')}; their history stays")
    if done.temporary:
        lines.append(f"{verb} {count(done.temporary, 'temporary file')} of commands that were stopped")
    kept = (
        f"kept {count(done.kept_revisions, 'revision')}, {count(done.kept_blobs, 'blob')}, "
        f"{format_size(done.kept_bytes)}"
    )
    data = {
        "dryRun": options.dry_run, "revisions": done.revisions, "attachments": done.attachments, "blobs": done.blobs,
        "bytes": done.bytes, "thinned": done.thinned, "temporary": done.temporary,
        "kept": {"revisions": done.kept_revisions, "blobs": done.kept_blobs, "bytes": done.kept_bytes},
    }  # fmt: skip
    return Result("\n".join([*lines, kept]), data)


def fsck(options: Namespace) -> Result:
    """`pycontainer fsck`."""
    from orchestrator.history.check import check

    product, place, _ = opened(options)
    keys = load_keys(product.product)
    found = check(Store.open(place.store), product.product, keys.public_keys(), keys.threshold)
    paint, store = Paint(), found.store
    lines = [f"{count(store.checked, 'blob')}, {format_size(store.bytes)} read"]
    grouped = f", {count(found.releases, 'release')}" if found.releases else ""
    lines.append(f"{count(found.revisions, 'revision')} in {count(found.channels, 'channel')}{grouped}")
    if found.thin:
        lines.append(f"{count(found.thin, 'revision')} gave up their blobs (gc --keep)")
    lines += [f"{digest[7:19]}: its parent is not in this store; the history is shallow" for digest in found.shallow]
    for problem in (*store.problems, *found.problems):
        lines.append(paint(f"damaged: {problem.digest[:19]}: {problem.what}", "red"))
    lines += [paint(f"not signed: {each.digest[7:19]}: {each.what}", "red") for each in found.unsigned]
    if found.unsigned:
        lines.append("  (pycontainer sign REVISION adds the signatures of today's keys to what you believe)")
    lines += [f"cannot be checked: {digest}" for digest in store.unknown]
    if store.unreachable:
        advice = " (pycontainer gc removes them)" if found.whole else ""
        lines.append(f"{count(len(store.unreachable), 'blob')} that nothing leads to{advice}")
    if store.leftovers:
        lines.append(
            f"{len(store.leftovers)} temporary files of commands that were stopped (the next write removes them)"
        )
    lines.append(paint("the store is whole", "green") if found.whole else paint("the store is DAMAGED", "red"))
    code = VerificationError.exit_code if not found.whole else TrustError.exit_code if found.unsigned else 0
    data = {
        "whole": found.whole, "checked": store.checked, "bytes": store.bytes, "revisions": found.revisions,
        "channels": found.channels, "releases": found.releases,
        "thin": found.thin, "shallow": found.shallow, "unreachable": store.unreachable,
        "unknown": store.unknown, "leftovers": [str(path) for path in store.leftovers],
        "problems": [{"digest": e.digest, "what": e.what} for e in (*store.problems, *found.problems)],
        "unsigned": [{"digest": e.digest, "what": e.what} for e in found.unsigned],
    }  # fmt: skip
    return Result("\n".join(lines), data, code)
