# SPDX-License-Identifier: MIT
"""`pycontainer sign` and `pycontainer verify`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.cli import bundles, releases
from orchestrator.cli.result import Result, loaded
from orchestrator.cli.trust_screens import report_data, report_text
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.history.several import meant
from orchestrator.history.signing import sign_all
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE
from orchestrator.revision import Revision
from orchestrator.trust import ProductKeys, UnverifiedError, load_keys
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
    revisions = meant(names, name, product.machines, options.machine, every=True).revisions
    return _verified(options, store, revisions, load_keys(product.product))


def _verified(options: Namespace, store: Store, revisions: Sequence[Revision], keys: ProductKeys) -> Result:
    """Verify revisions, one for each machine that has one; the first that does not verify ends it."""
    several = len(revisions) > 1
    texts: list[str] = []
    data: list[dict[str, Any]] = []
    for revision in revisions:
        title = f"{revision.config.machine}  {revision.short}\n" if several else ""
        try:
            report = verify_all(store, revision, keys)
        except UnverifiedError as problem:
            if not options.json:
                print("\n".join([*texts, title + report_text(problem.report)]), file=sys.stderr)
                raise
            error = {"what": problem.what, "why": problem.why, "hint": problem.hint, "exitCode": problem.exit_code}
            data.append(report_data(problem.report))
            more = {"passed": False, "revisions": data} if several else {}
            return Result("", data[0] | more | {"error": error}, problem.exit_code)
        texts.append(title + report_text(report))
        data.append(report_data(report))
    passed = all(each["passed"] for each in data)
    return Result("\n".join(texts), data[0] | ({"passed": passed, "revisions": data} if several else {}))
