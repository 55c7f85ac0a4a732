# SPDX-License-Identifier: MIT
"""`pycontainer device`: what each verb asks of the device, and what a person sees of the answer."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from orchestrator.bundle import Bundle, open_bundle
from orchestrator.cli import device_screens as screens
from orchestrator.cli.commands import Result, loaded, reporter
from orchestrator.cli.result import places
from orchestrator.cli.view import Phase
from orchestrator.device import Link, Outcome, Transport, parse_transport, try_revision
from orchestrator.device import install as install_bundle
from orchestrator.device import update as update_device
from orchestrator.device.answers import (
    Collected,
    Containers,
    Event,
    Identity,
    Installed,
    Status,
    StoredRevisions,
    StoredVolumes,
    plain,
    typed,
)
from orchestrator.device.protocol import WORK_SECONDS
from orchestrator.device.stream import LINE_LIMIT
from orchestrator.device.trial import short
from orchestrator.emulator.qemu import CONTROL_PORT
from orchestrator.emulator.running import the_running
from orchestrator.errors import ConfigError, PyContainerError
from orchestrator.oci import Store
from orchestrator.product.units import format_size
from orchestrator.progress import View
from orchestrator.revision import Revision


class Shown:
    """Tells of an installation or a trial on a view."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._phase = Phase(view)

    def say(self, text: str) -> None:
        """One line that stays visible; it ends the running phase."""
        self._phase.finish()
        self._view.message("note", text)

    def show(self, phase: str, done: int, total: int) -> None:
        """The running phase did `done` of `total` bytes."""
        self._phase.show(phase, done, total)

    def finish(self) -> None:
        """The running phase is done."""
        self._phase.finish()


def transport(options: Namespace) -> Transport:
    """Return the way to the device that is asked for: `--to`, else the environment, else the running machine."""
    named = getattr(options, "to", None) or os.environ.get("PYCONTAINER_DEVICE")
    if named:
        return parse_transport(named)
    try:
        product, found = places(options)
    except ConfigError as problem:
        raise ConfigError(
            "no device is named", problem.what, "name one with --to, or a product's folder with --product"
        ) from problem
    socket = the_running({place.machine: place.running for place in found})
    if product.control is None or product.control.port != CONTROL_PORT:
        raise ConfigError(
            "the virtual machine of this product cannot be asked",
            f"the product has no control port {CONTROL_PORT}",
            f"add it, build and run again: control: {{port: {CONTROL_PORT}, reason: ...}}; see docs/product-file.md",
        )
    return parse_transport(f"unix:{socket}")


@contextmanager
def _linked(options: Namespace) -> Iterator[Link]:
    with Link(transport(options), timeout=options.timeout) as link:
        yield link


def _asked(options: Namespace, verb: str, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
    with _linked(options) as link:
        return link.ask(verb, arguments, timeout=timeout)


def version(options: Namespace) -> Result:
    """`pycontainer device version`."""
    with _linked(options) as link:
        found = link.connection().version
        data = found.to_data() if found else link.ask("version")
    return Result(screens.pairs(data), data)


def status(options: Namespace) -> Result:
    """`pycontainer device status`."""
    data = _asked(options, "status")
    return Result(screens.status(typed(data, Status, "status")), data)


def ps(options: Namespace) -> Result:
    """`pycontainer device ps`."""
    data = _asked(options, "ps")
    return Result(screens.containers(typed(data, Containers, "ps").containers), data)


def revisions(options: Namespace) -> Result:
    """`pycontainer device revisions`."""
    data = _asked(options, "revisions")
    return Result(screens.revisions(typed(data, StoredRevisions, "revisions").revisions), data)


def volumes(options: Namespace) -> Result:
    """`pycontainer device volumes`."""
    data = _asked(options, "volumes")
    return Result(screens.volumes(typed(data, StoredVolumes, "volumes").volumes), data)


def identity(options: Namespace) -> Result:
    """`pycontainer device identity`."""
    data = _asked(options, "identity")
    found = typed(data, Identity, "identity")
    return Result(f"key id      {plain(found.keyid)}\npublic key  {plain(found.public_key)}", data)


def gc(options: Namespace) -> Result:
    """`pycontainer device gc`."""
    data = _asked(options, "gc", WORK_SECONDS)
    found = typed(data, Collected, "gc")
    removed = f"{found.removed.revisions} revisions and {found.removed.blobs} blobs removed"
    return Result(f"{removed}, {format_size(found.freed)} freed", data)


def simple(options: Namespace) -> Result:
    """`pycontainer device confirm`, `rollback`, `reboot`, `poweroff`: asked for, and no more to say."""
    said = {
        "confirm": "the revision is confirmed",
        "rollback": "the device goes back to the revision before",
        "reboot": "the device restarts",
        "poweroff": "the device powers off",
    }
    return Result(said[options.verb], _asked(options, options.verb, WORK_SECONDS))


def container(options: Namespace) -> Result:
    """`pycontainer device start`, `stop`, `restart`."""
    data = _asked(options, options.verb, WORK_SECONDS, container=options.container)
    done = {"start": "started", "stop": "stopped", "restart": "restarted"}[options.verb]
    return Result(f"{options.container} is {done}", data)


def logs(options: Namespace) -> Result:
    """`pycontainer device logs`."""
    if options.json and options.follow:
        raise ConfigError("--json does not go with --follow", "one object is printed at the end, which never comes")
    lines: list[str] = []

    def show(line: str) -> None:
        if options.json:
            lines.append(line)
        else:
            # On a terminal a container's escape sequences are not obeyed; a file or pipe gets them as they are.
            print(plain(line, LINE_LIMIT) if sys.stdout.isatty() else line, flush=options.follow)

    with _linked(options) as link, link.dropping():
        link.connection().follow(options.container, options.lines, options.follow, show)
    return Result("", {"lines": lines})


def observe(options: Namespace) -> Result:
    """`pycontainer device observe`; with --json and --follow one object a line, as they come."""
    kept: list[dict[str, Any]] = []

    def show(event: dict[str, Any]) -> None:
        if not options.json:
            print(screens.event(typed(event, Event, "observe")), flush=options.follow)
        elif options.follow:
            print(json.dumps(event, sort_keys=True), flush=True)
        else:
            kept.append(event)

    with _linked(options) as link, link.dropping():
        link.connection().observe(options.container, options.lines, options.follow, show)
    return Result("", {"events": kept})


def execute(options: Namespace) -> Result:
    """`pycontainer device exec`."""
    command = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not command:
        raise ConfigError("no command is given", "", "write: exec CONTAINER COMMAND [ARGUMENT...]")
    kept = {"out": bytearray(), "err": bytearray()}

    def show(name: str, data: bytes) -> None:
        if options.json:
            kept[name] += data
        else:
            stream = (sys.stdout if name == "out" else sys.stderr).buffer
            stream.write(data)
            stream.flush()

    stdin = sys.stdin.fileno() if options.interactive else None
    with _linked(options) as link, link.dropping():
        code = link.connection().execute(options.container, command, show, stdin)
    texts = {name: bytes(data).decode("utf-8", "replace") for name, data in kept.items()}
    return Result("", {"status": code, **texts}, min(max(code, 0), 255))


def install(options: Namespace) -> Result:
    """`pycontainer device install`."""
    places = [options.bundle, options.path, options.label, options.disks]
    if sum(place not in (None, False) for place in places) != 1:
        raise ConfigError(
            "what is to be installed?", "give one of BUNDLE, --path, --label, --disks", "for example: install FILE.tar"
        )
    with reporter(options.json) as report, _linked(options) as link:
        shown = Shown(report.view)
        if options.bundle is None:
            return _install_there(link, options, shown)
        with open_bundle(options.bundle) as bundle:
            revision = _fitting(link, bundle, options.revision, shown.say)
            sent = install_bundle(link, bundle, revision, shown, known=_stores(options))
            shown.finish()
    text = f"revision {revision.short} ({revision.config.version}) is installed: {sent}"
    data = {"revision": sent.revision, "blobs": sent.blobs, "sent": sent.bytes}
    return Result(f"{text}\nto run it: {screens.program()} device try {revision.short}", data)


def _fitting(link: Link, bundle: Bundle, name: str | None, say: Callable[[str], None]) -> Revision:
    """Return the revision of a bundle that was named, or the one for the device's machine."""
    if name or len(bundle.revisions()) == 1:
        return bundle.select(name or "")
    machine = link.persist(lambda connection: getattr(connection.version, "machine", ""), say)
    return bundle.select(machine=machine or "")


def _stores(options: Namespace) -> list[Store]:
    """Return the store of the product at hand, if there is one: it may know what the device has."""
    with suppress(PyContainerError):
        return [Store.open(loaded(options)[1].store)]
    return []


def _install_there(link: Link, options: Namespace, shown: Shown) -> Result:
    asked = {"path": options.path, "label": options.label, "revision": options.revision}

    def part(value: dict[str, Any]) -> None:
        step = screens.step_of(value)
        if step:
            shown.show(*step)

    arguments = {name: value for name, value in asked.items() if value}
    data = link.ask("install", arguments, on_part=part, timeout=WORK_SECONDS)
    shown.finish()
    found = typed(data, Installed, "install")
    text = f"revision {short(found.revision)} is installed: {found.blobs} blobs, {format_size(found.copied)} copied"
    return Result(f"{text}\nto run it: {screens.program()} device try {short(found.revision)}", data)


def attempt(options: Namespace) -> Result:
    """`pycontainer device try`."""
    if not options.wait:
        data = _asked(options, "try", WORK_SECONDS, revision=options.revision)
        return Result(f"the trial of {plain(options.revision)} begins", data)
    with reporter(options.json) as report, _linked(options) as link:
        known = typed(link.ask("revisions"), StoredRevisions, "revisions").revisions
        wanted = options.revision.removeprefix("sha256:")
        matches = [one.revision for one in known if one.revision.removeprefix("sha256:").startswith(wanted)]
        if len(matches) != 1:
            there = ", ".join(short(one.revision) for one in known)
            raise ConfigError(f"{options.revision!r} is not one revision of the device", f"it has {there}")
        return _ended(try_revision(link, matches[0], Shown(report.view), limit=options.limit))


def update(options: Namespace) -> Result:
    """`pycontainer device update`."""
    with reporter(options.json) as report, _linked(options) as link, open_bundle(options.bundle) as bundle:
        shown = Shown(report.view)
        revision = _fitting(link, bundle, options.revision, shown.say)
        return _ended(update_device(link, bundle, revision, shown, limit=options.limit, known=_stores(options)))


def _ended(outcome: Outcome) -> Result:
    outcome.check()
    data = {"revision": outcome.revision, "result": outcome.result, "seconds": round(outcome.seconds, 1)}
    return Result(f"revision {short(outcome.revision)} is {outcome.result}", data)
