# SPDX-License-Identifier: MIT
#
# A recipe that deploys one PyContainer layer.
#
#   SUMMARY = "The boot loader as one EFI program"
#   inherit deploy pycontainer-layer
#   PYCONTAINER_LAYER = "bootloader"
#   PYCONTAINER_KIND = "bootloader"
#   PYCONTAINER_FILES = "efi=${B}/BOOTX64.EFI"
#   do_pycontainer_layer[depends] += "${PN}:do_compile"
#
# Images inherit pycontainer-rootfs, pycontainer-app or pycontainer-initramfs instead, which inherit this class.

PYCONTAINER_LAYER ??= "${PN}"
PYCONTAINER_LAYER[doc] = "The layer's name in the revision: lower case letters, digits, '.', '_', '-'"
PYCONTAINER_KIND ??= "app"
PYCONTAINER_KIND[doc] = "What the layer is: bootloader, bsp, host, rootfs or app"
PYCONTAINER_FILES ??= ""
PYCONTAINER_FILES[doc] = "The layer's files as role=path; roles are efi, board, kernel, modules, firmware, dtb, initramfs, rootfs"
PYCONTAINER_COMMAND_LINE ??= ""
PYCONTAINER_COMMAND_LINE[doc] = "Kernel arguments that the layer brings (a BSP's)"
PYCONTAINER_CONFIG ??= "{}"
PYCONTAINER_CONFIG[doc] = "How the container runs, as an OCI image configuration object in JSON: Cmd, Env, User, ..."
PYCONTAINER_SPDX ??= ""
PYCONTAINER_SPDX[doc] = "The layer's SPDX document; set by the image classes, where create-spdx is in use"
PYCONTAINER_PACKAGES ??= ""
PYCONTAINER_PACKAGES[doc] = "The manifest of the image's packages, which the SBOM is held against"
PYCONTAINER_LICENCES ??= ""
PYCONTAINER_LICENCES[doc] = "Recipes whose collected licence texts go along, as package=recipe"
PYCONTAINER_DEPLOY ?= "${DEPLOY_DIR_IMAGE}"
PYCONTAINER_DEPLOY[doc] = "The folder of pycontainer-deploy.json and of the layers' folders"

def pycontainer_licences(d, target):
    """Write the tar of licence texts, where there are some to write."""
    from pathlib import Path
    import pycontainer.licences
    recipes = dict(word.split("=", 1) for word in (d.getVar("PYCONTAINER_LICENCES") or "").split())
    if not recipes:
        return None
    root = Path(d.getVar("LICENSE_DIRECTORY"))
    folders = [root / arch for arch in reversed((d.getVar("SSTATE_ARCHS") or "").split())] + [root]
    lost = pycontainer.licences.write(recipes, folders, target, int(d.getVar("SOURCE_DATE_EPOCH") or 0))
    if lost:
        bb.note("no licence texts were collected of: " + " ".join(lost))
    return target

python do_pycontainer_layer() {
    from pathlib import Path
    import pycontainer.architecture, pycontainer.fragment
    from pycontainer.errors import reported
    optional = lambda name: Path(d.getVar(name)) if d.getVar(name) else None
    work = Path(d.getVar("WORKDIR"), "pycontainer-layer")
    bb.utils.mkdirhier(str(work))
    with reported(bb.fatal):
        files = pycontainer.fragment.parse_files(d.getVar("PYCONTAINER_FILES"))
        layer = pycontainer.fragment.Layer(
            name=d.getVar("PYCONTAINER_LAYER"), kind=d.getVar("PYCONTAINER_KIND"), recipe=d.getVar("PN"),
            version=d.getVar("PV"), architecture=pycontainer.architecture.oci_architecture(d.getVar("TARGET_ARCH")),
            files={role: Path(path) for role, path in files.items()},
            spdx=optional("PYCONTAINER_SPDX"), packages=optional("PYCONTAINER_PACKAGES"),
            copyright=pycontainer_licences(d, work / "copyright.tar"),
            command_line=pycontainer.architecture.command_line(d.getVar("PYCONTAINER_COMMAND_LINE")),
            config=pycontainer.fragment.parse_config(d.getVar("PYCONTAINER_CONFIG")))
        pycontainer.fragment.publish(layer, Path(d.getVar("PYCONTAINER_DEPLOY")), work / "layer")
}
addtask do_pycontainer_layer before do_build
# Other recipes write into the same deploy folder; what is in this layer's follows from the tasks it depends on.
do_pycontainer_layer[nostamp] = "1"
do_pycontainer_layer[dirs] = "${WORKDIR}"
