# SPDX-License-Identifier: MIT
"""`pycontainer init`, `commit`, `tag`, `checkout`, `revert`, `gc` and `fsck`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from orchestrator.canonical import read_limited
from orchestrator.cli.history_common import change_data, change_lines, named, opened
from orchestrator.cli.plain import Paint, columns, count
from orchestrator.cli.result import Result
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.history import revert as reverting
from orchestrator.history.compare import compare
from orchestrator.history.names import CANDIDATE, HEAD, Names, check_tag, is_user_tag
from orchestrator.history.record import MESSAGE_LIMIT, Recorded, clean_message, state
from orchestrator.history.record import commit as commit_candidate
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
    from orchestrator.machines.read import usual_base, usual_machine

    home = repository()
    machine = options.machine or ("qemux86-64" if options.base == "yocto" else usual_machine(home, "debian"))
    base = options.base or usual_base(home, machine)
    configuration(home, base, machine)  # a machine that the base does not have, above all
    made = make_product(options.folder, options.name, machine, base)
    where = "" if made.folder.resolve() == Path.cwd() else f" -C {shlex.quote(str(options.folder))}"
    build = "" if not where else f" {shlex.quote(str(options.folder))}"
    image = shlex.quote(str(options.folder / "build" / f"{made.name}-{machine}.img"))
    start = (
        (f"pycontainer run{build}", "boot it here, in QEMU")
        if machine.startswith("qemu")
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
    message = _message(options, names)
    done = commit_candidate(names, product_keys(product.product), message, allow_empty=options.allow_empty)
    return _recorded(done)


def revert(options: Namespace) -> Result:
    """`pycontainer revert`."""
    product, _, names = opened(options)
    work = reverting.restore if options.to else reverting.revert
    message = clean_message(options.message) if options.message else ""
    return _recorded(work(names, product_keys(product.product), options.revision, message))


def _recorded(done: Recorded) -> Result:
    paint = Paint()
    comparison = compare(done.parent, done.revision)
    subject = shown(done.revision.config.message.partition("\n")[0])
    first = "" if done.parent else " (first revision)"
    lines = [f"[{done.channel}{first} {paint(done.revision.short, 'yellow')}] {subject}"]
    lines += change_lines(comparison, paint, indent=1)
    if done.parent is not None:
        lines.append(f" a device with {done.parent.short} fetches {format_size(comparison.fetch)}")
    data = {
        "revision": done.revision.id,
        "parent": done.parent.id if done.parent else None,
        "channel": done.channel,
        "message": done.revision.config.message,
        "changes": change_data(comparison),
    }
    return Result("\n".join(lines), data)


def _message(options: Namespace, names: Names) -> str:
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
    return _edited(_proposal(names, options.allow_empty))


def _proposal(names: Names, allow_empty: bool) -> str:
    """What the editor shows: an empty first line, and what will be committed as comments."""
    candidate = names.load(CANDIDATE)
    head = names.load(HEAD) if names.head() else None
    if head is not None and state(head.config) == state(candidate.config) and not allow_empty:
        raise ConfigError("nothing to commit", f"the candidate is what {names.channel} has", "build a change first")
    lines = change_lines(compare(head, candidate), Paint(on=False), indent=2)
    head_line = f"On channel {names.channel}. Lines that begin with # are left out; an empty message commits nothing."
    return "\n".join(["", f"# {head_line}", "#", "# Changes to be committed:", *(f"# {line}" for line in lines), ""])


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


def tag(options: Namespace) -> Result:
    """`pycontainer tag`."""
    _, _, names = opened(options)
    if options.name is None:
        return _tags(names)
    if options.delete:
        return _untag(names, options.name)
    check_tag(options.name, names.store, names.machine)
    revision = names.load(options.revision or HEAD)
    with names.store.together():
        before = names.store.resolve(options.name)
        if before is not None and before.digest != revision.id and not options.force:
            raise ConfigError(
                f"the tag {options.name} is there already",
                f"it stands for {before.digest[7:19]}",
                "choose another name, or move it: --force",
            )
        names.store.move(options.name, revision.descriptor)
    return Result(f"{options.name} is {named(revision, Paint())}", {"tag": options.name, "revision": revision.id})


def _untag(names: Names, name: str) -> Result:
    with names.store.together():
        before = names.store.resolve(name)
        if before is None or not is_user_tag(name):
            raise names.unknown(name) if before is None else ConfigError(
                f"{name} is no tag of yours", "a channel, a candidate or a remote has this name", "pycontainer tag"
            )  # fmt: skip
        names.store.index.untag(name, keep=True)
    text = f"took away the tag {name} (it was {before.digest[7:19]})"
    return Result(text, {"tag": name, "revision": before.digest, "deleted": True})


def _tags(names: Names) -> Result:
    paint = Paint()
    rows, data = [], []
    for name, entry in names.store.tags().items():
        if not is_user_tag(name):
            continue
        try:
            text = named(read_revision(names.store, entry.digest), paint)
        except VerificationError as problem:
            text = f"{entry.digest[7:19]}  {problem.what}"
        rows.append((shown(name), text))
        data.append({"tag": name, "revision": entry.digest})
    return Result("\n".join(columns(rows)), {"tags": data})


def checkout(options: Namespace) -> Result:
    """`pycontainer checkout`."""
    _, place, names = opened(options)
    revision = names.load(options.revision)
    listed = read_source(names.store, revision.id)
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
    known = [each for digest in _recorded_states(names) if (each := read_source(names.store, digest)) is not None]
    done = check_out(names.store, listed, root, known, force=options.force)
    lines = [f"{len(done.written)} written, {len(done.removed)} removed, {done.unchanged} as they were: "
             f"{named(revision, Paint())}"]  # fmt: skip
    lines += [f"  wrote    {shown(path)}" for path in done.written]
    lines += [f"  removed  {shown(path)}" for path in done.removed]
    lines += [f"  missing  {shown(path)}: too large to be kept with the revision, put it there" for path in done.absent]
    lines += [f"  kept     {shown(path)}: not of that revision, and a build takes it in" for path in done.foreign]
    if any(file.resolved and file.path in done.written for file in listed.files):
        lines.append("pycontainer.lock pins what that revision was built from; pycontainer lock --update renews it")
    data = {
        "revision": revision.id, "folder": str(root), "written": done.written, "removed": done.removed,
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
    lines.append(f"{count(found.revisions, 'revision')} in {count(found.channels, 'channel')}")
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
        "channels": found.channels, "thin": found.thin, "shallow": found.shallow, "unreachable": store.unreachable,
        "unknown": store.unknown, "leftovers": [str(path) for path in store.leftovers],
        "problems": [{"digest": e.digest, "what": e.what} for e in (*store.problems, *found.problems)],
        "unsigned": [{"digest": e.digest, "what": e.what} for e in found.unsigned],
    }  # fmt: skip
    return Result("\n".join(lines), data, code)
