# SPDX-License-Identifier: MIT
SUMMARY = "The deploy manifest over the layers that PYCONTAINER_LAYERS names: what pycontainer build takes over"
LICENSE = "MIT"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit nopackages

PYCONTAINER_RECIPES ??= ""
PYCONTAINER_RECIPES[doc] = "Recipes whose layers are deployed beside the platform's; pycontainer build sets it"
PYCONTAINER_LAYERS ?= "pycontainer-bootloader pycontainer-bsp pycontainer-host ${PYCONTAINER_RECIPES}"
PYCONTAINER_LAYERS[doc] = "All recipes whose layers are in the manifest, in its order"
PYCONTAINER_EMULATOR ??= ""
PYCONTAINER_EMULATOR[doc] = "How QEMU runs the machine, as JSON of the deploy contract; empty where it cannot"

deltask do_fetch
deltask do_unpack
deltask do_patch
do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"

def pycontainer_layer_tasks(d):
    return " ".join(name + ":do_pycontainer_layer" for name in (d.getVar("PYCONTAINER_LAYERS") or "").split())

# Whatever the layers' stamps say, the manifest tells what lies there now; writing it takes no time.
do_pycontainer_deploy[nostamp] = "1"
do_pycontainer_deploy[depends] += "pycontainer-tools-native:do_deploy ${@pycontainer_layer_tasks(d)}"
python do_pycontainer_deploy() {
    from pathlib import Path
    import pycontainer.architecture, pycontainer.manifest
    from pycontainer.errors import reported
    folder = Path(d.getVar("DEPLOY_DIR_IMAGE"))
    digest = (folder / "native-tools" / "digest").read_text().strip()
    with reported(bb.fatal):
        pycontainer.manifest.write(
            folder,
            machine=d.getVar("MACHINE"), architecture=pycontainer.architecture.oci_architecture(d.getVar("TARGET_ARCH")),
            distribution=pycontainer.manifest.distribution(
                d.getVar("DISTRO"), d.getVar("DISTRO_VERSION"), d.getVar("DISTRO_CODENAME") or ""),
            source_date_epoch=int(d.getVar("SOURCE_DATE_EPOCH")),
            layers=pycontainer.manifest.layers_of(folder, d.getVar("PYCONTAINER_LAYERS").split()),
            tools={"path": "native-tools", "digest": digest}, emulator=d.getVar("PYCONTAINER_EMULATOR") or "")
}
addtask do_pycontainer_deploy before do_build
