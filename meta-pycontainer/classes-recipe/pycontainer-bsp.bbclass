# SPDX-License-Identifier: MIT
#
# The BSP: kernel, modules, firmware and device trees of a machine. An image installs modules and firmware, so that
# dependencies, depmod, licences and SPDX come from where they always do; it is then taken apart by role.
# See recipes-kernel/pycontainer-bsp/pycontainer-bsp.bb.

inherit pycontainer-image kernel-artifact-names

PYCONTAINER_LAYER = "bsp"
PYCONTAINER_KIND = "bsp"
IMAGE_FSTYPES = "tar"

PYCONTAINER_KERNEL ?= "${DEPLOY_DIR_IMAGE}/${KERNEL_IMAGETYPE}"
PYCONTAINER_KERNEL[doc] = "The kernel that GRUB starts: an EFI program, deployed by the kernel's recipe"
PYCONTAINER_DEVICETREE ??= ""
PYCONTAINER_DEVICETREE[doc] = "The device tree that the boot loader hands to the kernel, of KERNEL_DEVICETREE; empty: the firmware's"
PYCONTAINER_COMMAND_LINE ?= "${@pycontainer_consoles(d)} quiet panic=10"

def pycontainer_consoles(d):
    """Return console arguments for SERIAL_CONSOLES ('115200;ttyS0 ...'), the first as the last: /dev/console is it."""
    consoles = (d.getVar("SERIAL_CONSOLES") or "").split()
    return " ".join("console=%s,%s" % tuple(reversed(word.split(";"))) for word in reversed(consoles))

do_pycontainer_layer[depends] += "virtual/kernel:do_deploy"
python pycontainer_bsp_parts() {
    import os
    from pathlib import Path
    import pycontainer.parts
    from pycontainer.errors import reported
    with reported(bb.fatal):
        parts = pycontainer.parts.split(Path(d.getVar("PYCONTAINER_IMAGE") + ".tar"), Path(d.getVar("WORKDIR"), "pycontainer-parts"))
        if "modules" in parts:
            pycontainer.parts.release_of(parts["modules"])
    parts["kernel"] = d.getVar("PYCONTAINER_KERNEL")
    tree = d.getVar("PYCONTAINER_DEVICETREE")
    if tree:
        parts["dtb"] = os.path.join(d.getVar("DEPLOY_DIR_IMAGE"), os.path.basename(tree))
    d.setVar("PYCONTAINER_FILES", " ".join("%s=%s" % part for part in sorted(parts.items())))
}
pycontainer_bsp_parts[cleandirs] = "${WORKDIR}/pycontainer-parts"
do_pycontainer_layer[prefuncs] += "pycontainer_bsp_parts"
