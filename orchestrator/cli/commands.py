# SPDX-License-Identifier: MIT
"""What each command does with its words: calls the room that knows, and turns what comes back into a screen."""

from __future__ import annotations

import dataclasses
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from orchestrator.build import doctor as examination
from orchestrator.build import everymachine, imaging, lockfile, pipeline
from orchestrator.build.audit import audit_product
from orchestrator.build.base import deployed
from orchestrator.build.published import known_layers
from orchestrator.build.workspace import Workspace
from orchestrator.cli import screens, updates
from orchestrator.cli.result import Command as Command
from orchestrator.cli.result import Result as Result
from orchestrator.cli.result import loaded as loaded
from orchestrator.cli.result import one_machine
from orchestrator.cli.update_bundle import bundle_of
from orchestrator.cli.view import LiveView, Phase, choose_view
from orchestrator.emulator import accel, session, stick
from orchestrator.emulator.forwards import exposed_forwards, parse_forwards
from orchestrator.emulator.qemu import options_for
from orchestrator.errors import ConfigError, TrustError, TryAgainError
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.image import flash as flashing
from orchestrator.image.devices import Target
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.product.units import format_size
from orchestrator.progress import Reporter
from orchestrator.revision import Revision
from orchestrator.trust import load_keys, verify_revision


@contextmanager
def reporter(plain: bool) -> Iterator[Reporter]:
    """Give a reporter that draws on standard error, live where that is a terminal."""
    view = choose_view(plain)
    if isinstance(view, LiveView):
        with view:
            yield Reporter(view)
    else:
        yield Reporter(view)


def build(options: Namespace) -> Result:
    """`pycontainer build`."""
    request = pipeline.BuildRequest(options.product, options.machine, options.force)
    with reporter(options.plain or options.json) as report:
        made = everymachine.build(request, report)
    texts = [screens.build_screen(each, options.product, machine) for machine, each in made.summaries]
    if made.index is None:
        return Result(texts[0], made.summaries[0][1].to_data())
    texts.append(f"release    {screens.near(str(made.index))}: the revisions of all machines\n")
    return Result("\n".join(texts), made.to_data())


def _revision(product: Product, place: Workspace, name: str) -> tuple[Store, Revision]:
    store = Store.open(place.store)
    return store, Names(store, place.machine).load(name or CANDIDATE)


def image(options: Namespace) -> Result:
    """`pycontainer image`."""
    product, place = one_machine(options)
    deployed(place)
    with place.locked(), reporter(options.json) as report:
        store, revision = _revision(product, place, options.revision)
        out = options.output or place.image
        keys = load_keys(product.product)
        with report.step(f"check {revision.short}") as step:
            verify_revision(store, revision, keys.public_keys(), keys.threshold, product=product.product)
            step.result = "whole and signed"
        with report.step(f"image of {revision.short}"):
            written = imaging.image_of(store, revision, product, place, deployed(place), keys, out)
    text = (
        f"{screens.near(str(written.image))}: revision {revision.short}, {format_size(written.size)}, "
        f"{format_size(written.used)} to write\n{screens.near(str(written.block_map))}: its block map"
    )
    data = {"image": str(written.image), "bmap": str(written.block_map), "revision": revision.id, "size": written.size}
    return Result(text, data)


def run(options: Namespace) -> Result:
    """`pycontainer run`."""
    _, place = one_machine(options)
    asked = parse_forwards(options.port)
    machine = options_for(
        deployed(place),
        options.image or place.image,
        forwards=asked or exposed_forwards(pipeline.exposed_ports(place)),
        persist=options.persist,
        memory_mib=options.memory,
        firmware=options.firmware,
    )
    machine = dataclasses.replace(machine, accel=accel.choose(machine))
    log = place.logs / "console.log"
    if not machine.forwards:
        print("no container exposes a port; --port 8080 makes that one of the device reachable", file=sys.stderr)
    job = None if options.update is None else updates.job(bundle_of(options.update, place), place.store, place.machine)
    if options.stick is not None:
        bundle = bundle_of(options.stick, place)
        job = updates.stick_job(bundle, stick.LABEL, place.machine)
        image = stick.make_stick(bundle, place.build / f"stick-{place.machine}.img", imaging.tools_of(deployed(place)))
        machine = stick.plugged(machine, image)
    if options.expect is None:
        return Result("", exit_code=session.run_image(machine, log=log, note=place.running, job=job))
    line = session.expect(
        machine, options.expect, options.timeout, log, show=options.console, note=place.running, job=job
    )
    return Result(line, {"line": line, "accelerator": machine.accel, "console": str(log)})


def flash(options: Namespace) -> Result:
    """`pycontainer flash`."""
    with ExitStack() as stack:
        steps: list[Phase] = []

        def confirm(target: Target) -> bool:
            agreed = options.yes or _typed(target)
            if agreed:
                steps.append(Phase(stack.enter_context(reporter(options.json)).view))
            return agreed

        written = flashing.flash(
            options.image,
            options.device,
            confirm=confirm,
            progress=lambda phase, done, total: steps[0].show(phase, done, total),
            force_fixed=options.force_fixed,
        )
        steps[0].finish()
    text = (
        f"{written.target.path}: {format_size(written.written)} written and read back; the disk holds the image\n"
        "take it out only after its light is dark, put it into the device and switch it on"
    )
    return Result(text, {"device": str(written.target.path), "written": written.written, "size": written.size})


def _typed(target: Target) -> bool:
    """Let the user type the disk's name: a key pressed too fast must not erase the wrong one."""
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{target.path} was not confirmed", "there is no terminal to ask on", "add --yes when you are sure"
        )
    print(f"everything on this disk will be lost: {target.describe()}", file=sys.stderr)
    print(f"type its name, {target.name}, to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() in (target.name, str(target.path))


def audit(options: Namespace) -> Result:
    """`pycontainer audit`."""
    product, place = loaded(options)
    found = audit_product(known_layers(product, place), place.root)
    text = screens.audit_screen(found, options.at_least, everything=options.all)
    code = TrustError.exit_code if found.below(options.at_least) else 0
    return Result(text, found.to_data(options.at_least), code)


def lock(options: Namespace) -> Result:
    """`pycontainer lock`."""
    product, place = one_machine(options)
    with place.locked() as held, reporter(options.json) as report:
        changes = lockfile.lock(product, place, report, update=options.update, held=held)
    return Result(screens.lock_screen(changes), changes.to_data())


def doctor(options: Namespace) -> Result:
    """`pycontainer doctor`."""
    purposes = [word.strip() for word in options.purposes.split(",") if word.strip()]
    if unknown := [word for word in purposes if word not in examination.PURPOSES]:
        raise ConfigError(f"unknown purpose '{unknown[0]}'", "", "name some of: " + ", ".join(examination.PURPOSES))
    examine = partial(examination.examine, purposes, machine=getattr(options, "machine", None), base=options.base)
    findings = examine()
    if options.install and examination.commands(findings):
        examination.install(findings, lambda line: print(line, file=sys.stderr, flush=True))
        findings = examine()
    todo = examination.commands(findings)
    missing = [finding for finding in findings if not finding.ok]
    data = {
        "findings": [{"name": f.name, "ok": f.ok, "detail": f.detail, "package": f.package} for f in findings],
        "commands": todo,
    }
    silent = options.quiet and all(finding.ok or (finding.passing and options.install) for finding in findings)
    text = "" if silent else screens.doctor_screen(findings, todo)
    # Installing cannot make room; a build looks for itself whether there is enough.
    hard = [finding for finding in missing if not finding.passing]
    code = ConfigError.exit_code if hard else TryAgainError.exit_code if missing and not options.install else 0
    return Result(text, data, code)
