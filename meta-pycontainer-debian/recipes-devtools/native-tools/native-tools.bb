# SPDX-License-Identifier: MIT
SUMMARY = "Programs whose output bytes matter, from the suite, run from a tree without touching the host"
inherit debian-packages
DEBIAN_PACKAGES_ARCH = "${BUILD_ARCH}"
DEBIAN_PACKAGES = "squashfs-tools e2fsprogs mtools dosfstools grub-common zstd kmod fsverity \
    golang-github-containers-common apparmor"
DEBIAN_MAIN_PACKAGE = "squashfs-tools"
DEBIAN_PACKAGES_EXCLUDE = "containernetworking-plugins golang-github-containers-image gettext-base iptables dmsetup netbase \
    gcc-14-base openssl-provider-legacy debconf"
TOOLS = "mksquashfs unsquashfs sqfstar mke2fs e2fsck debugfs tune2fs dumpe2fs mkfs.fat mtools mcopy mmd mdir mtype mdel \
    minfo grub-mkstandalone grub-mkimage grub-file grub-script-check zstd fsverity depmod modinfo \
    apparmor_parser"

do_install[file-checksums] += "${PYCONTAINER_LIB}/tools.py:True"
python do_install() {
    from pathlib import Path
    from pycontainer_debian.deb import Deb, unpack
    from pycontainer_debian.deploy import write_tools_facts
    from pycontainer_debian.tools import Runs, install
    from pycontainer_debian.tree import Tree
    tree = Tree(merged_usr=True)
    unpack([Deb(file.path) for file in debian_debs(d)], tree, Path(d.getVar("SPOOL"), "data"))
    tree.strip(["usr/share/*", "!usr/share/containers/*", "!usr/share/grub/*"])
    tree.symlink("share", "usr/share")
    target = Path(d.getVar("D"))
    tree.remove(lambda path: path != "bin")
    install(tree, target, d.getVar("TOOLS").split(), Runs(d.getVar("BUILD_LOADER"), d.getVar("BUILD_TRIPLET")))
    write_tools_facts(target, d.getVar("DEBIAN_RESOLVED").split())
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
}

do_deploy[vardeps] += "DEBIAN_RESOLVED"
python do_deploy() {
    from pathlib import Path
    from pycontainer_debian.layer import swap_in
    swap_in(Path(d.getVar("D")), Path(d.getVar("NATIVE_TOOLS")))
}
