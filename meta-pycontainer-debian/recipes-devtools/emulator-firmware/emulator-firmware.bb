# SPDX-License-Identifier: MIT
SUMMARY = "What QEMU starts a machine with: EDK2, or U-Boot. No part of an image"
inherit debian-packages

# Architecture-independent packages, which any index has.
DEBIAN_PACKAGES_ARCH = "${BUILD_ARCH}"
DEBIAN_PACKAGES = "${EMULATOR_PACKAGES}"

do_install[vardeps] += "EMULATOR_FILES"
python do_install() {
    from pathlib import Path
    from pycontainer_debian.deb import Deb, unpack
    from pycontainer_debian.disk import extract
    from pycontainer_debian.errors import DebianError, reported
    from pycontainer_debian.tree import Tree
    tree, wanted = Tree(merged_usr=True), d.getVar("EMULATOR_FILES").split()
    with reported(bb.fatal):
        unpack([Deb(file.path) for file in debian_debs(d)], tree, Path(d.getVar("SPOOL"), "data"), set(wanted))
        firmware = Tree()
        for path in wanted:
            if (entry := tree.lookup(path)) is None:
                raise DebianError("no firmware package of the machine has %s" % path, "", "correct the machine's data file")
            firmware.file(path, entry.content)
        extract(firmware, Path(d.getVar("D")))
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
}

python do_deploy() {
    from pathlib import Path
    from pycontainer_debian.layer import swap_in
    swap_in(Path(d.getVar("D")), Path(d.getVar("DEPLOY_DIR_IMAGE"), "firmware"))
}
do_deploy[vardeps] += "DEBIAN_RESOLVED EMULATOR_FILES"
