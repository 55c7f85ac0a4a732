# SPDX-License-Identifier: MIT
"""`pycontainer channel`: what channels stand for."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, replace

from orchestrator.cli import screens
from orchestrator.cli.plain import Paint
from orchestrator.cli.releases import grouped_data, grouped_lines
from orchestrator.cli.result import Result, loaded
from orchestrator.cli.trust_screens import pointer_data, report_data, report_text
from orchestrator.errors import ConfigError
from orchestrator.history.names import HEAD, Names
from orchestrator.history.promote import Terms, promote
from orchestrator.oci import Descriptor, Store
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


@dataclass(frozen=True)
class _Place:
    """The product's keys and names, the machines that a command is about (all, or the one asked for), and all."""

    keys: ProductKeys
    names: Names
    machines: tuple[str, ...]
    among: tuple[str, ...]


def _opened(options: Namespace) -> _Place:
    product, place = loaded(options)
    machines = (place.machine,) if options.machine else tuple(product.machines)
    names = Names(Store.open(place.store), place.machine)
    return _Place(load_keys(product.product), names, machines, tuple(product.machines))


def ls(options: Namespace) -> Result:
    """`pycontainer channel ls`."""
    place = _opened(options)
    store = place.names.store
    found = [each for each in pointers(store) if each.pointer.machine in place.machines]
    known = {(each.pointer.channel, each.pointer.machine) for each in found}
    heads = {(name, each): head for each in place.machines for name, head in _heads(place, each).items()}
    unpointed = sorted(set(heads) - known)
    data = [pointer_data(each, known_pointer(store, each.pointer.channel, each.pointer.machine)) for each in found]
    rows = [
        (each["channel"], each["machine"], str(each["version"]), each["revision"][7:19], str(each["floor"]),
         each["issued"], "published" if each["published"] else "only here")
        for each in data
    ]  # fmt: skip
    rows += [(*each, "-", heads[each].digest[7:19], "-", "", "no pointer yet") for each in unpointed]
    if not rows:
        text = f"no channel for {', '.join(place.machines)}: pycontainer channel set main"
        return Result(text, {"channels": [], "withoutPointer": [], "headsWithoutPointer": []})
    columns = [
        ("channel", "left"), ("machine", "left"), ("version", "right"), ("revision", "left"), ("floor", "right"),
        ("issued", "left"), ("", "left"),
    ]  # fmt: skip
    if len(place.machines) == 1:
        shown = screens.table([columns[0], *columns[2:]], [(row[0], *row[2:]) for row in rows])
    else:
        shown = screens.table(columns, rows)
    return Result(screens.render(shown), {
        "channels": data,
        "withoutPointer": sorted({name for name, _ in unpointed}),
        "headsWithoutPointer": [{"channel": name, "machine": machine} for name, machine in unpointed],
    })  # fmt: skip


def _heads(place: _Place, machine: str) -> dict[str, Descriptor]:
    return replace(place.names, machine=machine).channels()


def show(options: Namespace) -> Result:
    """`pycontainer channel show`."""
    place = _opened(options)
    keys, store, role = place.keys, place.names.store, place.keys.role("channel")
    texts, data = [], []
    for found in _pointers(place, options.name):
        machine = found.pointer.machine
        seen = known_pointer(store, options.name, machine)
        if seen is not None and seen.pointer.version > found.pointer.version:
            seen = None
        report = verify_pointer(
            found, role, product=keys.product, machine=machine, channel=options.name, seen=seen,
            time=time_floor(store, keys.product, role, keys.times()),
        )  # fmt: skip
        texts.append(
            f"channel {found.name}: revision {found.pointer.revision[7:19]}, issued {found.pointer.issued}\n"
            f"{report_text(report)}"
        )
        data.append(pointer_data(found, seen) | {"verification": report_data(report)})
    return Result("\n".join(texts), data[0] | {"machines": data})


def move(options: Namespace) -> Result:
    """`pycontainer channel set`."""
    place = _opened(options)
    issued = now()
    terms = Terms(
        issued,
        floor=options.floor,
        security_version=options.security_version,
        expires=later(issued, options.expires * _DAY) if options.expires else None,
    )
    done = promote(
        place.names, place.keys, options.name, options.revision or HEAD, terms,
        machines=place.among, asked=options.machine, force=options.force,
    )  # fmt: skip
    data = [pointer_data(each, None) for each in done.pointers]
    lines = [_stands(each, place) for each in done.pointers]
    if done.absent:
        lines.append(f"as before, with no revision by that name: {', '.join(done.absent)}")
    lines += grouped_lines(done.grouped, Paint())
    return Result("\n".join(lines), data[0] | {"machines": data} | grouped_data(done.grouped))


def sign(options: Namespace) -> Result:
    """`pycontainer channel sign`."""
    place = _opened(options)
    store, signers = place.names.store, place.keys.signers("channel")
    with store.together():
        found = [issue(store, each.pointer, signers) for each in _pointers(place, options.name)]
    data = [pointer_data(each, None) for each in found]
    return Result("\n".join(_stands(each, place) for each in found), data[0] | {"machines": data})


def _stands(found: SignedPointer, place: _Place) -> str:
    role = place.keys.role("channel")
    signed = len(found.envelope.valid_keys(role.keys))
    text = f"channel {found.name}: revision {found.pointer.revision[7:19]}, floor {found.pointer.floor}"
    if signed < role.threshold:
        return f"{text}\nsigned by {signed} of the {role.threshold} that must: the others add theirs by channel sign"
    return text


def _pointers(place: _Place, channel: str) -> list[SignedPointer]:
    """Return a channel's pointers, one for each of the machines that has one; there must be one."""
    tags = [pointer_tag(channel, each) for each in place.machines]
    found = [each for tag in tags if (each := tagged_pointer(place.names.store, tag)) is not None]
    if not found:
        raise ConfigError(
            f"channel {channel!r} has no pointer for {', '.join(place.machines)}",
            "",
            f"pycontainer channel set {channel}",
        )
    return found
