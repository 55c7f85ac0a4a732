# SPDX-License-Identifier: GPL-2.0-only
# Headers and libraries of Debian packages for recipes that compile: they land in the sysroot of whoever has this in DEPENDS.

inherit debian-packages

do_populate_sysroot[cleandirs] = "${STAGING_DIR}/${PN} ${SPOOL}"
do_populate_sysroot[vardeps] += "DEBIAN_RESOLVED"
do_populate_sysroot[file-checksums] += "${DEBIAN_LIB_FILES}"
python do_populate_sysroot() {
    from pathlib import Path
    from pycontainer_debian.deb import Deb, unpack
    from pycontainer_debian.disk import extract
    from pycontainer_debian.tree import Tree
    tree = Tree(merged_usr=True)
    unpack([Deb(file.path) for file in debian_debs(d)], tree, Path(d.getVar("SPOOL"), "data"))
    tree.strip(["usr/share/*"])
    extract(tree, Path(d.getVar("STAGING_DIR"), d.getVar("PN")))
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
}
