# SPDX-License-Identifier: MIT
SUMMARY = "GRUB as one EFI program, its configuration and modules embedded"
inherit pycontainer-layer

PYCONTAINER_LAYER = "bootloader"
PYCONTAINER_KIND = "bootloader"
PYCONTAINER_FILES = "efi=${EFI_NAME}"

DEBIAN_PACKAGES = "${GRUB_PACKAGE}"
DEBIAN_PACKAGES_EXCLUDE = "grub-common ${@d.getVar('GRUB_PACKAGE').replace('-bin', '-unsigned')}"
FILESPATH:prepend = "${PYCONTAINER_META}/recipes-bsp/pycontainer-bootloader/files:"
SRC_URI = "file://grub.cfg"

# What grub.cfg uses, and a way to hand the screen over to the kernel.
GRUB_MODULES = "part_gpt fat ext2 normal linux loadenv test echo regexp probe sleep reboot all_video ${GRUB_MORE_MODULES}"

do_install[depends] += "native-tools:do_deploy"
do_install[file-checksums] += "${PYCONTAINER_LIB}/bootloader.py:True"
python do_install() {
    from pathlib import Path
    from pycontainer_debian.bootloader import standalone
    from pycontainer_debian.contents import Contents
    from pycontainer_debian.disk import extract
    from pycontainer_debian.errors import reported
    spool = Path(d.getVar("SPOOL"))
    folder = "usr/lib/grub/" + d.getVar("GRUB_TARGET")
    with reported(bb.fatal):
        packages = layer_packages(d)
        packages.tree.strip(["*", "!" + folder + "/*"])
        extract(packages.tree, spool / "tree")
        standalone(Path(d.getVar("NATIVE_TOOLS"), "bin"), spool / "tree" / folder, Path(d.getVar("UNPACKDIR"), "grub.cfg"),
                   d.getVar("GRUB_TARGET"), d.getVar("GRUB_MODULES").split(), int(d.getVar("SOURCE_DATE_EPOCH")),
                   Path(d.getVar("D"), d.getVar("EFI_NAME")))
        contents = Contents()
        contents.own(d.getVar("GRUB_PACKAGE"), [d.getVar("EFI_NAME")])
        layer_keep(d, packages, packages.used_by(packages.tree), contents)
    bb.utils.remove(str(spool), recurse=True)
}
