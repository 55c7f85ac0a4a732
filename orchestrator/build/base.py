# SPDX-License-Identifier: MIT
"""The base of a product: kas and BitBake build it, unless nothing that goes into it has changed."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.build.doctor import commands, examine
from orchestrator.build.imagelock import others_digest
from orchestrator.build.kas import KasRun, NoRecipeError, configuration, run_kas
from orchestrator.build.stamp import combine, tree_fingerprint
from orchestrator.build.workspace import Workspace
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import BuildError, ConfigError, PyContainerError, TryAgainError
from orchestrator.machines.read import checkout
from orchestrator.product.load import locate
from orchestrator.product.model import Product
from orchestrator.progress import Reporter

PLATFORM = ("bootloader", "bsp", "host")


def recipes(product: Product) -> list[str]:
    """Return the BitBake recipes that the product's containers come from, sorted."""
    return sorted({layer.source.bitbake for layer in product.layers.values() if layer.source.bitbake})


def runtimes(product: Product) -> list[str]:
    """Return what the product's containers are run by, sorted; crun is always there."""
    return sorted({"crun", *(layer.runtime for layer in product.layers.values())})


def _no_lxc(product: Product, place: Workspace) -> None:
    """Refuse at once what the host of the base over OE-core cannot run: its build takes hours."""
    for name, layer in product.layers.items():
        if product.base == "yocto" and layer.runtime != "crun":
            raise ConfigError(
                f"{locate(place.product_file, ('layers', name, 'runtime'))}: {layer.runtime}",
                "the host of the base yocto runs containers by crun alone",
                "leave 'runtime' out, or take the base debian",
            )


def extra_layers(product: Product, place: Workspace) -> list[Path]:
    """Return the product's own BitBake layers; raises ConfigError for one without conf/layer.conf."""
    found = [(place.root / path).resolve() for path in product.bitbake_layers]
    for path in found:
        if not (path / "conf" / "layer.conf").is_file():
            raise ConfigError(
                f"{path} is not a BitBake layer",
                "it has no conf/layer.conf; the product file names it in bitbakeLayers",
                f"see {_page(product)} for a layer of one's own",
            )
    return found


def _page(product: Product) -> str:
    return "docs/debian-base.md" if product.base == "debian" else f"docs/{product.base}.md"


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
            "runtimes": runtimes(product),
            "layers": tree_fingerprint(
                [
                    home / "kas",
                    *sorted(home.glob("machines")),
                    *sorted(home.glob("meta-pycontainer*")),
                    *extra_layers(product, place),
                ]
            ),
            "lock": others_digest(lock) if lock.exists() else "",
        }
    )


def environment(product: Product, place: Workspace) -> dict[str, str]:
    """Return what the kas configuration reads from the environment to build for this product."""
    found = {
        "PYCONTAINER_RECIPES": " ".join(recipes(product)),
        "PYCONTAINER_RUNTIMES": " ".join(runtimes(product)),
        "PYCONTAINER_EXTRA_LAYERS": " ".join(map(str, extra_layers(product, place))),
    }
    return found | {"DEBIAN_LOCK": str(place.package_lock)} if product.base == "debian" else found


def ensure_base(
    product: Product, place: Workspace, last: Mapping[str, Any], reporter: Reporter, *, force: bool, held: int
) -> tuple[Deploy, str, int]:
    """Return the deploy folder, its fingerprint, and how many BitBake tasks were run (0: nothing had changed).

    `last` is the stamp of the last build, `held` the build folder's lock. Raises what `run_kas` raises, and BuildError
    for a wrong deploy manifest.
    """
    known = fingerprint(product, place)
    there = (place.deploy / MANIFEST_NAME).exists()
    whole = there and not force and Deploy(place.deploy).intact()
    if whole and last.get("base") == known:
        return Deploy(place.deploy), known, 0
    _no_lxc(product, place)
    # Before anything is taken away: what cannot be built anew is better than nothing.
    _ask_doctor(place, product.base)
    if there and not whole:
        # BitBake believes its stamps, not the files: what was taken away or changed comes back by building anew.
        why = "" if force else ": a file of it is gone"
        reporter.view.message("note", f"building the base anew, from the downloads{why}")
        shutil.rmtree(place.bitbake / "tmp", ignore_errors=True)
    home = checkout()
    run = KasRun(
        home=home,
        config=configuration(home, product.base, place.machine),
        build_dir=place.bitbake,
        targets=(),
        environment=environment(product, place),
        log=place.logs / "kas.log",
        held=held,
        own_interface=product.base != "debian",
        provenance=product.base != "debian",
    )
    with reporter.step(f"build the {product.base} base with BitBake") as step:
        try:
            outcome = run_kas(run, reporter.view)
        except NoRecipeError as problem:
            raise _no_recipe(problem, product, place, home) from problem
        deploy = Deploy(place.deploy)
        _check(deploy, product, place)
        step.result = f"{outcome.tasks_run} task{'' if outcome.tasks_run == 1 else 's'}"
    # The lock file may have been written by this very run: it is part of what the next build compares with.
    return deploy, fingerprint(product, place), outcome.tasks_run


def deployed(place: Workspace) -> Deploy:
    """Return what BitBake deployed; raises ConfigError when nothing was built yet."""
    if not (place.deploy / MANIFEST_NAME).exists():
        raise ConfigError(
            f"{place.product} was not built yet for {place.machine}",
            f"there is no {place.deploy / MANIFEST_NAME}",
            f"build it first: pycontainer build {place.name}",
        )
    return Deploy(place.deploy)


def _no_recipe(problem: NoRecipeError, product: Product, place: Workspace, home: Path) -> PyContainerError:
    """Turn BitBake's words for an unknown recipe into the place in the product file that names it."""
    asked = [name for name, layer in product.layers.items() if layer.source.bitbake == problem.recipe]
    if not asked:
        return problem
    folders = [*home.glob("meta-pycontainer*"), *extra_layers(product, place)]
    known = {path.stem.partition("_")[0] for folder in folders for path in folder.rglob("*.bb")}
    near = difflib.get_close_matches(problem.recipe, known, n=1)
    return ConfigError(
        f"{locate(place.product_file, ('layers', asked[0], 'from', 'bitbake'))}: no recipe {problem.recipe}",
        f"BitBake finds none of this name in the base {product.base} and in bitbakeLayers",
        f"did you mean '{near[0]}'?" if near else f"{_page(product)} lists the recipes, and how to add one",
    )


def _ask_doctor(place: Workspace, of: str) -> None:
    """Refuse to start what cannot end: BitBake would find out in the middle."""
    findings = [finding for finding in examine(["build"], place.bitbake, None, of) if not finding.ok]
    missing = [finding for finding in findings if not finding.passing]
    if findings and not missing:
        raise TryAgainError(
            "there is not enough free disk for a build",
            findings[0].detail,
            "make room, or move the product (or DL_DIR, for the downloads) to another disk, and run the same command",
        )
    if missing:
        raise ConfigError(
            f"this machine lacks what a build needs: {', '.join(finding.name for finding in missing)}",
            missing[0].detail,
            f"pycontainer doctor --for build --base {of} lists the commands that mend it; with --install it runs them"
            if commands(missing)
            else "no package mends that; mend it, and run the same command again",
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
    there = deploy.of_kind("host")[0].runtimes
    for runtime in runtimes(product):
        if runtime not in there:
            raise ConfigError(
                f"the host of this base cannot run containers by {runtime}",
                f"it has {', '.join(there)}; a layer of the product says 'runtime: {runtime}'",
                f"build a host with PYCONTAINER_RUNTIMES that names {runtime}, or leave 'runtime' out",
            )
    for recipe in recipes(product):
        if deploy.layer(recipe) is None:
            built = ", ".join(layer.recipe for layer in deploy.manifest.layers)
            raise BuildError(
                f"BitBake deployed no layer of the recipe {recipe}",
                f"it deployed: {built}",
                "mend 'from: {bitbake: ...}' in the product file, or let the recipe inherit the layer class",
            )
