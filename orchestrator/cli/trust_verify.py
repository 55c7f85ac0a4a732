# SPDX-License-Identifier: MIT
"""`pycontainer sign` and `pycontainer verify`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from orchestrator.cli import bundles, releases
from orchestrator.cli.result import Result, loaded
from orchestrator.cli.trust_screens import report_data, report_text
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.history.signing import sign_all
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE
from orchestrator.trust import UnverifiedError, load_keys
from orchestrator.trust.explain import verify_all


def sign(options: Namespace) -> Result:
    """`pycontainer sign`."""
    product, place = loaded(options)
    store = Store.open(place.store)
    names = Names(store, place.machine)
    keys = load_keys(product.product)
    signers = keys.signers()
    name = options.revision or CANDIDATE
    done = sign_all(names, name, product.machines, options.machine, keys, signers, cosign=options.cosign)
    return releases.signed(done, signers)


def verify(options: Namespace) -> Result:
    """`pycontainer verify`."""
    name, what = options.revision or options.what or CANDIDATE, Path(options.what) if options.what else None
    if what is not None and ((what.is_file() and what.name != PRODUCT_FILE) or (what / "oci-layout").is_file()):
        named = (options.product / PRODUCT_FILE).is_file()
        return bundles.check(Namespace(bundle=what, product=options.product if named else None, json=options.json))
    if what is not None and (what.is_file() or (what / PRODUCT_FILE).is_file()):
        options.product, name = what, options.revision or CANDIDATE
    product, place = loaded(options)
    store = Store.open(place.store)
    names = Names(store, place.machine)
    if (release := releases.meant(product, options, names, name)) is not None:
        return releases.verify(options, store, release, load_keys(product.product))
    revision = names.load(name)
    try:
        report = verify_all(store, revision, load_keys(product.product))
    except UnverifiedError as problem:
        if not options.json:
            print(report_text(problem.report), file=sys.stderr)
            raise
        error = {"what": problem.what, "why": problem.why, "hint": problem.hint, "exitCode": problem.exit_code}
        return Result("", report_data(problem.report) | {"error": error}, problem.exit_code)
    return Result(report_text(report), report_data(report))
