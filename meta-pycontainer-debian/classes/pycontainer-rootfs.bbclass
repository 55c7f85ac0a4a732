# SPDX-License-Identifier: GPL-2.0-only
# A layer that is a container's root file system, made of Debian packages and the recipe's own files.
#
# ROOTFS_CONFIGURE  "1": dpkg installs the packages in the new root, maintainer scripts run. Otherwise only their files count.
# ROOTFS_STRIP      glob patterns of what is left out; "!" before one keeps
# ROOTFS_PROGRAMS   programs: of usr/lib and the programs' folders only these and the libraries they are linked to stay
# ROOTFS_FILES      source=/destination[:mode[:uid[:gid]]]   sources lie among SRC_URI's files
# ROOTFS_FOLDERS    /path[:mode[:uid[:gid]]]
# ROOTFS_LINKS      /path=target

inherit pycontainer-layer

# Maintainer scripts run the build machine's programs: those of the same packages (pycontainer_debian.foreign).
DEBIAN_NATIVE_ARCH = "${@d.getVar('BUILD_ARCH') if d.getVar('ROOTFS_CONFIGURE') == '1' and d.getVar('BUILD_ARCH') != d.getVar('DEBIAN_ARCH') else ''}"

def rootfs_native(d):
    """The build machine's builds of the packages, opened; None when the packages themselves run here."""
    from pathlib import Path
    from pycontainer_debian.layer import Packages
    native = debian_native(d)
    epoch = int(d.getVar("SOURCE_DATE_EPOCH"))
    return Packages(debian_files(d, native), Path(d.getVar("SPOOL"), "native-data"), epoch) if native else None

PYCONTAINER_FILES = "rootfs=rootfs.tar"
ROOTFS_CONFIGURE ??= "0"
ROOTFS_STRIP ?= "${PYCONTAINER_STRIP}"
ROOTFS_PROGRAMS ??= ""
ROOTFS_FILES ?= ""
ROOTFS_FOLDERS ?= "/dev /proc /sys /run /tmp:1777"
ROOTFS_LINKS ?= ""

# Files of many owners are written, and a chroot is entered: BitBake's own user namespace, which also cuts the network,
# maps one id only. The build cuts the network itself (pycontainer_debian.rootfs).
TASK_USE_NETWORK = "1"
TASK_USE_SUDO = "1"

do_install[network] = "${TASK_USE_SUDO}"
do_install[file-checksums] += "${PYCONTAINER_LIB}/rootfs.py:True ${PYCONTAINER_LIB}/foreign.py:True ${PYCONTAINER_LIB}/compose.py:True ${PYCONTAINER_LIB}/elf.py:True"
python do_install() {
    from pathlib import Path
    from pycontainer_debian import compose, rootfs
    from pycontainer_debian.archives import write_tar
    from pycontainer_debian.contents import INSTALLATION, RECIPE, Contents
    from pycontainer_debian.errors import reported
    epoch, output = int(d.getVar("SOURCE_DATE_EPOCH")), Path(d.getVar("D"), "rootfs.tar")
    with reported(bb.fatal):
        packages = layer_packages(d)
        tree, used = packages.tree, packages.used_by(packages.tree)
        if d.getVar("ROOTFS_CONFIGURE") == "1":
            tree = rootfs.configured(packages, Path(d.getVar("SPOOL")), d.getVar("DEBIAN_ARCH"), rootfs_native(d))
        tree.strip(d.getVar("ROOTFS_STRIP").split())
        compose.programs(tree, d.getVar("ROOTFS_PROGRAMS").split(), ["usr/lib/" + d.getVar("TARGET_TRIPLET"), "usr/lib"])
        compose.folders(tree, d.getVar("ROOTFS_FOLDERS").split())
        compose.files(tree, d.getVar("ROOTFS_FILES").split(), Path(d.getVar("UNPACKDIR")))
        compose.links(tree, d.getVar("ROOTFS_LINKS").split())
        tree.clamp(epoch)
        write_tar(tree, output)
        kept = used if d.getVar("ROOTFS_CONFIGURE") == "1" else packages.used_by(tree)
        contents = Contents()
        contents.explain(RECIPE, [tree.real(path) or path for path in compose.places(d.getVar("ROOTFS_FILES").split())])
        contents.settle(tree, packages.whole, INSTALLATION if d.getVar("ROOTFS_CONFIGURE") == "1" else "")
        layer_keep(d, packages, kept, contents)
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
}
