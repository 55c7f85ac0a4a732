# SPDX-License-Identifier: MIT
"""`pycontainer tag`: names of revisions, and of releases where a product has several machines."""

from __future__ import annotations

from argparse import Namespace

from orchestrator.cli import releases
from orchestrator.cli.history_common import named, opened
from orchestrator.cli.plain import Paint, columns
from orchestrator.cli.result import Result
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.history.names import HEAD, Names, check_tag, is_release_entry, is_user_tag
from orchestrator.history.releases import release_to_tag
from orchestrator.history.several import one
from orchestrator.revision import read_revision
from orchestrator.text import shown
from orchestrator.trust import load_keys


def tag(options: Namespace) -> Result:
    """`pycontainer tag`."""
    product, _, names = opened(options)
    if options.name is None:
        return _tags(names)
    if options.delete:
        return _untag(names, options.name)
    for machine in [names.machine] if options.machine else product.machines:
        check_tag(options.name, names.store, machine)
    name = options.revision or HEAD
    release = None
    if not options.machine and (len(product.machines) > 1 or names.release(name) is not None):
        release = release_to_tag(names, name, product.machines, load_keys(product.product))
    target = release.descriptor if release else one(names, name, product.machines, options.machine).descriptor
    with names.store.together():
        before = names.store.resolve(options.name)
        if before is not None and before.digest != target.digest and not options.force:
            raise ConfigError(
                f"the tag {options.name} is there already",
                f"it stands for {before.digest[7:19]}",
                "choose another name, or move it: --force",
            )
        names.store.move(options.name, target)
    if release is not None:
        text = f"{options.name} is {releases.line_of(release, Paint())}"
        return Result(text, {"tag": options.name, "release": release.id, "revisions": release.machines})
    revision = read_revision(names.store, target.digest)
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
            release = names.release(name)
            text = (
                releases.line_of(release, paint) if release else named(read_revision(names.store, entry.digest), paint)
            )
        except VerificationError as problem:
            text = f"{entry.digest[7:19]}  {problem.what}"
        rows.append((shown(name), text))
        kind = "release" if is_release_entry(entry) else "revision"
        data.append({"tag": name, "revision": entry.digest, "kind": kind})
    return Result("\n".join(columns(rows)), {"tags": data})
