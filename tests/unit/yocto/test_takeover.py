# SPDX-License-Identifier: MIT
"""What the base over OE-core deploys is taken over as the Debian base's is: kas is real, BitBake is played."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.build import base
from orchestrator.build.base import ensure_base
from orchestrator.build.workspace import Workspace
from orchestrator.cli.view import PlainView
from orchestrator.errors import ConfigError, FetchError
from orchestrator.product import load_product
from orchestrator.progress import Reporter

LIBRARY = Path(__file__).parents[3] / "meta-pycontainer" / "lib"

KAS = """
    header: {version: 14}
    build_system: oe
    machine: qemux86-64
    distro: pycontainer
    target: pycontainer-deploy
    repos: {core: {path: core, layers: {.: }}}
    env: {PYCONTAINER_RECIPES: "", PYCONTAINER_TEST_FAILS: ""}
"""
# Deploys with the library that our recipes deploy with, and says what BitBake says.
BITBAKE = f"""\
    #!{sys.executable}
    import os, sys
    from pathlib import Path
    sys.path.insert(0, {str(LIBRARY)!r})
    from pycontainer import fragment, manifest
    print("NOTE: Running task 1 of 2 (/x/kernel.bb:do_fetch)", flush=True)
    print("NOTE: recipe kernel-6.18-r0: task do_fetch: Started", flush=True)
    if os.environ.get("PYCONTAINER_TEST_FAILS"):
        print("ERROR: kernel-6.18-r0 do_fetch: Fetcher failure for URL")
        print("NOTE: recipe kernel-6.18-r0: task do_fetch: Failed")
        sys.exit(1)
    deploy = Path("tmp/deploy/images/qemux86-64")
    deploy.mkdir(parents=True, exist_ok=True)
    Path("part").write_text("bytes")
    Path("manifest").write_text("busybox core2-64 1.37\\n")
    recipes = {{"pycontainer-bootloader": "bootloader", "pycontainer-bsp": "bsp", "pycontainer-host": "host"}}
    recipes |= dict.fromkeys(os.environ["PYCONTAINER_RECIPES"].split(), "rootfs")
    roles = {{"bootloader": "efi", "bsp": "kernel", "host": "initramfs", "rootfs": "rootfs"}}
    for recipe, kind in recipes.items():
        layer = fragment.Layer(recipe.removeprefix("pycontainer-"), kind, recipe, "1", "amd64",
                               {{roles[kind]: Path("part")}}, packages=Path("manifest"))
        fragment.publish(layer, deploy, Path("work"))
    manifest.write(deploy, machine="qemux86-64", architecture="amd64", source_date_epoch=1,
                   distribution=manifest.distribution("pycontainer", "0.1", "wrynose"),
                   layers=manifest.layers_of(deploy, recipes))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    home, product = tmp_path / "home", tmp_path / "product"
    for path, text in (
        (home / "kas" / "yocto-qemux86-64.yml", dedent(KAS)),
        (home / "core" / "conf" / "layer.conf", ""),
        (home / "core" / "oe-init-build-env", 'mkdir -p "$1"; cd "$1"; export PATH="$OLDPWD/bin:$PATH"\n'),
        (home / "core" / "bin" / "bitbake", dedent(BITBAKE)),
        (
            product / "pycontainer.yaml",
            "product: box\nversion: '1'\nmachine: qemux86-64\nbase: yocto\n"
            "layers:\n  rootfs:\n    kind: rootfs\n    from: {bitbake: pycontainer-rootfs-minimal}\n",
        ),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PYCONTAINER_HOME", str(home))
    monkeypatch.setattr(base, "examine", lambda *_: [])
    return Workspace(product / "pycontainer.yaml", "box", "qemux86-64")


def test_a_deploy_folder_of_openembedded_is_taken_over(place: Workspace) -> None:
    product = load_product(place.product_file)
    with place.locked() as held:
        deploy, _, tasks = ensure_base(product, place, {}, Reporter(PlainView()), force=False, held=held)
    assert tasks == 1
    assert deploy.manifest.base == "yocto"
    layer = deploy.layer("pycontainer-rootfs-minimal")
    assert layer is not None
    assert layer.packages is not None
    assert deploy.verified(layer.packages).read_text() == "busybox core2-64 1.37\n"
    assert deploy.verified(layer.files["rootfs"]).read_bytes() == b"bytes"


def test_a_download_that_failed_is_told_as_one(place: Workspace) -> None:
    product = load_product(place.product_file)
    config = place.root.parent / "home" / "kas" / "yocto-qemux86-64.yml"
    config.write_text(config.read_text().replace('FAILS: ""', 'FAILS: "1"'))
    with place.locked() as held, pytest.raises(FetchError) as caught:
        ensure_base(product, place, {}, Reporter(PlainView()), force=False, held=held)
    assert caught.value.what == "kernel: fetch failed"
    assert "Fetcher failure for URL" in caught.value.why


def test_a_layer_for_lxc_is_refused_before_anything_is_built(place: Workspace) -> None:
    place.product_file.write_text(place.product_file.read_text() + "    runtime: lxc\n")
    product = load_product(place.product_file)
    with place.locked() as held, pytest.raises(ConfigError) as caught:
        ensure_base(product, place, {}, Reporter(PlainView()), force=False, held=held)
    assert caught.value.what.endswith("layers.rootfs.runtime: lxc")
    assert not (place.logs / "kas.log").exists()
