# SPDX-License-Identifier: MIT
"""`pycontainer channel`: what channels stand for."""

from __future__ import annotations

from argparse import Namespace

from orchestrator.cli import screens
from orchestrator.cli.result import Result, loaded
from orchestrator.cli.trust_screens import pointer_data, report_data, report_text
from orchestrator.errors import ConfigError
from orchestrator.history.names import Names
from orchestrator.history.promote import promote
from orchestrator.oci import Store
from orchestrator.trust import (
    ProductKeys,
    SignedPointer,
    issue,
    known_pointer,
    load_keys,
    pointer_tag,
    pointers,
    tagged_pointer,
    time_floor,
    verify_pointer,
)
from orchestrator.trust.times import later, now

_DAY = 86_400


def _opened(options: Namespace) -> tuple[ProductKeys, Names]:
    product, place = loaded(options)
    return load_keys(product.product), Names(Store.open(place.store), place.machine)


def ls(options: Namespace) -> Result:
    """`pycontainer channel ls`."""
    _, names = _opened(options)
    found = [each for each in pointers(names.store) if each.pointer.machine == names.machine]
    unpointed = sorted(set(names.channels()) - {each.pointer.channel for each in found})
    data = [pointer_data(each, known_pointer(names.store, each.pointer.channel, names.machine)) for each in found]
    rows = [
        (each["channel"], str(each["version"]), each["revision"][7:19], str(each["floor"]), each["issued"],
         "published" if each["published"] else "only here")
        for each in data
    ]  # fmt: skip
    rows += [(name, "-", names.channels()[name].digest[7:19], "-", "", "no pointer yet") for name in unpointed]
    if not rows:
        return Result(f"no channel for {names.machine}: pycontainer channel set main", {"channels": []})
    columns = [
        ("channel", "left"), ("version", "right"), ("revision", "left"), ("floor", "right"), ("issued", "left"),
        ("", "left"),
    ]  # fmt: skip
    return Result(screens.render(screens.table(columns, rows)), {"channels": data, "withoutPointer": unpointed})


def show(options: Namespace) -> Result:
    """`pycontainer channel show`."""
    keys, names = _opened(options)
    found = _pointer(names, options.name)
    role = keys.role("channel")
    seen = known_pointer(names.store, options.name, names.machine)
    if seen is not None and seen.pointer.version > found.pointer.version:
        seen = None
    report = verify_pointer(
        found, role, product=keys.product, machine=names.machine, channel=options.name, seen=seen,
        time=time_floor(names.store, keys.product, role, keys.times()),
    )  # fmt: skip
    head = f"channel {found.name}: revision {found.pointer.revision[7:19]}, issued {found.pointer.issued}"
    return Result(f"{head}\n{report_text(report)}", pointer_data(found, seen) | {"verification": report_data(report)})


def move(options: Namespace) -> Result:
    """`pycontainer channel set`."""
    keys, names = _opened(options)
    issued = now()
    found = promote(
        names, keys, options.name, options.revision or "HEAD",
        now=issued,
        floor=options.floor,
        security_version=options.security_version,
        expires=later(issued, options.expires * _DAY) if options.expires else None,
        force=options.force,
    )  # fmt: skip
    return Result(_stands(found, keys), pointer_data(found, None))


def sign(options: Namespace) -> Result:
    """`pycontainer channel sign`."""
    keys, names = _opened(options)
    found = issue(names.store, _pointer(names, options.name).pointer, keys.signers("channel"))
    return Result(_stands(found, keys), pointer_data(found, None))


def _stands(found: SignedPointer, keys: ProductKeys) -> str:
    role = keys.role("channel")
    signed = len(found.envelope.valid_keys(role.keys))
    text = f"channel {found.name}: revision {found.pointer.revision[7:19]}, floor {found.pointer.floor}"
    if signed < role.threshold:
        return f"{text}\nsigned by {signed} of the {role.threshold} that must: the others add theirs by channel sign"
    return text


def _pointer(names: Names, channel: str) -> SignedPointer:
    found = tagged_pointer(names.store, pointer_tag(channel, names.machine))
    if found is None:
        raise ConfigError(
            f"channel {channel!r} has no pointer for {names.machine}",
            "",
            f"pycontainer channel set {channel}",
        )
    return found
