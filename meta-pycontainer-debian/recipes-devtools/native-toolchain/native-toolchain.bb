# SPDX-License-Identifier: MIT
SUMMARY = "The suite's own C compiler for the machine, and make, run from a tree: no compiler on the host, and bytes that do not depend on it"
inherit debian-packages
DEBIAN_PACKAGES_ARCH = "${BUILD_ARCH}"
GCC_VERSION = "${@d.getVar('COMPILER_PACKAGE').split('-')[1]}"
DEBIAN_PACKAGES = "${COMPILER_PACKAGE} make"
DEBIAN_MAIN_PACKAGE = "${COMPILER_PACKAGE}"
DEBIAN_PACKAGES_EXCLUDE = "libasan8 libtsan2 liblsan0 libubsan1 libhwasan0 libitm1 libquadmath0 libcc1-0 libgomp1 \
    ${@' '.join('lib%s-%s-cross' % (name, d.getVar('DEBIAN_ARCH')) for name in d.getVar('GCC_UNUSED').split())}"
GCC_UNUSED = "asan8 tsan2 lsan0 ubsan1 hwasan0 itm1 gomp1 atomic1"

do_install[file-checksums] += "${PYCONTAINER_LIB}/tools.py:True"
python do_install() {
    from pathlib import Path
    from pycontainer_debian.deb import Deb, unpack
    from pycontainer_debian.tools import Runs, install, install_compiler
    from pycontainer_debian.tree import Tree
    tree = Tree(merged_usr=True)
    unpack([Deb(file.path) for file in debian_debs(d)], tree, Path(d.getVar("SPOOL"), "data"))
    tree.strip(["usr/share/*"])
    target = Path(d.getVar("D"))
    tree.remove(lambda path: path != "bin")
    runs = Runs(d.getVar("BUILD_LOADER"), d.getVar("BUILD_TRIPLET"))
    install(tree, target, ["make"], runs)
    install_compiler(tree, target, d.getVar("TARGET_TRIPLET"), d.getVar("GCC_VERSION"), runs)
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
}

python do_populate_sysroot() {
    from pathlib import Path
    from pycontainer_debian.layer import swap_in
    swap_in(Path(d.getVar("D")), Path(d.getVar("NATIVE_TOOLCHAIN")))
}
