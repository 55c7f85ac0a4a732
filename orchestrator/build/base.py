# SPDX-License-Identifier: MIT
"""The base of a product: kas and BitBake build it, unless nothing that goes into it has changed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.build.doctor import examine
from orchestrator.build.kas import KasRun, checkout, configuration, run_kas
from orchestrator.build.stamp import combine, tree_fingerprint
from orchestrator.build.workspace import Workspace
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import BuildError, ConfigError
from orchestrator.product.model import Product
from orchestrator.progress import Reporter

PLATFORM = ("bootloader", "bsp", "host")


def recipes(product: Product) -> list[str]:
    """Return the BitBake recipes that the product's containers come from, sorted."""
    return sorted({layer.source.bitbake for layer in product.layers.values() if layer.source.bitbake})


def extra_layers(product: Product, place: Workspace) -> list[Path]:
    """Return the product's own BitBake layers; raises ConfigError for one without conf/layer.conf."""
    found = [(place.root / path).resolve() for path in product.bitbake_layers]
    for path in found:
        if not (path / "conf" / "layer.conf").is_file():
            raise ConfigError(
                f"{path} is not a BitBake layer",
                "it has no conf/layer.conf; the product file names it in bitbakeLayers",
                "see docs/debian-base.md for a layer of one's own",
            )
    return found


def fingerprint(product: Product, place: Workspace) -> str:
    """Return the digest of everything that decides what BitBake builds; raises ConfigError for an unknown machine."""
    home = checkout()
    configuration(home, product.base, place.machine)
    lock = place.package_lock
    return combine(
        {
            "machine": place.machine,
            "base": product.base,
            "recipes": recipes(product),
            "layers": tree_fingerprint(
                [home / "kas", *sorted(home.glob("meta-pycontainer*")), *extra_layers(product, place)]
            ),
            "lock": tree_fingerprint([lock]) if lock.exists() else "",
        }
    )


def environment(product: Product, place: Workspace) -> dict[str, str]:
    """Return what the kas configuration reads from the environment to build for this product."""
    return {
        "PYCONTAINER_RECIPES": " ".join(recipes(product)),
        "PYCONTAINER_EXTRA_LAYERS": " ".join(map(str, extra_layers(product, place))),
        "DEBIAN_LOCK": str(place.package_lock),
    }


def ensure_base(
    product: Product, place: Workspace, last: Mapping[str, Any], reporter: Reporter, *, force: bool, held: int
) -> tuple[Deploy, str, int]:
    """Return the deploy folder, its fingerprint, and how many BitBake tasks were run (0: nothing had changed).

    `last` is the stamp of the last build, `held` the build folder's lock. Raises what `run_kas` raises, and BuildError
    for a wrong deploy manifest.
    """
    known = fingerprint(product, place)
    if (place.deploy / MANIFEST_NAME).exists():
        if not force and Deploy(place.deploy).intact():
            if last.get("base") == known:
                return Deploy(place.deploy), known, 0
        else:
            # BitBake believes its stamps, not the files: what was taken away or changed comes back by building anew.
            why = "" if force else ": a file of it is gone"
            reporter.view.message("note", f"building the base anew, from the downloads{why}")
            shutil.rmtree(place.bitbake / "tmp", ignore_errors=True)
    _ask_doctor()
    home = checkout()
    run = KasRun(
        home=home,
        config=configuration(home, product.base, place.machine),
        build_dir=place.bitbake,
        targets=(),
        environment=environment(product, place),
        log=place.logs / "kas.log",
        held=held,
    )
    with reporter.step(f"build the {product.base} base with BitBake") as step:
        outcome = run_kas(run, reporter.view)
        deploy = Deploy(place.deploy)
        _check(deploy, product, place)
        step.result = f"{outcome.tasks_run} task{'' if outcome.tasks_run == 1 else 's'}"
    # The lock file may have been written by this very run: it is part of what the next build compares with.
    return deploy, fingerprint(product, place), outcome.tasks_run


def _ask_doctor() -> None:
    """Refuse to start what cannot end: BitBake would find out in the middle."""
    missing = [finding for finding in examine(["build"]) if not finding.ok]
    if missing:
        raise ConfigError(
            f"this machine lacks what a build needs: {', '.join(finding.name for finding in missing)}",
            missing[0].detail,
            "pycontainer doctor lists the commands that mend it; with --install it runs them",
        )


def _check(deploy: Deploy, product: Product, place: Workspace) -> None:
    manifest = deploy.manifest
    if (manifest.base, manifest.machine) != (product.base, place.machine):
        raise BuildError(
            "BitBake deployed something else than was asked for",
            f"{manifest.base} for {manifest.machine}, not {product.base} for {place.machine}",
            f"remove {place.bitbake} and build again",
        )
    for kind in PLATFORM:
        if len(deploy.of_kind(kind)) != 1:
            raise BuildError(f"the base has {len(deploy.of_kind(kind))} layers of kind {kind}", "exactly one is needed")
    for recipe in recipes(product):
        if deploy.layer(recipe) is None:
            built = ", ".join(layer.recipe for layer in deploy.manifest.layers)
            raise BuildError(
                f"BitBake deployed no layer of the recipe {recipe}",
                f"it deployed: {built}",
                "mend 'from: {bitbake: ...}' in the product file, or let the recipe inherit the layer class",
            )
