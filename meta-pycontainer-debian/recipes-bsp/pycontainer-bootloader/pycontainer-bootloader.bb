# SPDX-License-Identifier: MIT
SUMMARY = "GRUB as one EFI program, its configuration and modules embedded, and what starts a board up to UEFI"
inherit pycontainer-layer

PYCONTAINER_LAYER = "bootloader"
PYCONTAINER_KIND = "bootloader"
PYCONTAINER_FILES = "efi=${EFI_NAME} ${@'board=board.tar' if d.getVar('MACHINE_FIRMWARE') else ''}"

DEBIAN_PACKAGES = "${GRUB_PACKAGE} ${MACHINE_FIRMWARE_PACKAGES}"
DEBIAN_PACKAGES_EXCLUDE = "${MACHINE_FIRMWARE_EXCLUDE} grub-common ${@d.getVar('GRUB_PACKAGE').replace('-bin', '-unsigned')}"
FILESPATH:prepend = "${PYCONTAINER_META}/recipes-bsp/pycontainer-bootloader/files:"
SRC_URI = "file://grub.cfg"

# What grub.cfg uses, and a way to hand the screen over to the kernel.
GRUB_MODULES = "part_gpt fat ext2 normal linux loadenv test echo regexp probe sleep reboot all_video ${GRUB_MORE_MODULES}"

do_install[depends] += "native-tools:do_deploy"
do_install[file-checksums] += "${PYCONTAINER_LIB}/bootloader.py:True ${PYCONTAINER_LIB}/board.py:True"
python do_install() {
    import json
    from pathlib import Path
    from pycontainer_debian import board
    from pycontainer_debian.archives import write_tar
    from pycontainer_debian.bootloader import standalone
    from pycontainer_debian.contents import Contents
    from pycontainer_debian.disk import extract
    from pycontainer_debian.errors import reported
    spool = Path(d.getVar("SPOOL"))
    folder = "usr/lib/grub/" + d.getVar("GRUB_TARGET")
    with reported(bb.fatal):
        packages, contents, names = layer_packages(d), Contents(), set()
        if d.getVar("MACHINE_FIRMWARE"):
            tree, names = board.gathered(packages.tree, json.loads(d.getVar("MACHINE_FIRMWARE")), contents, int(d.getVar("SOURCE_DATE_EPOCH")))
            write_tar(tree, Path(d.getVar("D"), "board.tar"))
        packages.tree.strip(["*", "!" + folder + "/*"])
        extract(packages.tree, spool / "tree")
        standalone(Path(d.getVar("NATIVE_TOOLS"), "bin"), spool / "tree" / folder, Path(d.getVar("UNPACKDIR"), "grub.cfg"),
                   d.getVar("GRUB_TARGET"), d.getVar("GRUB_MODULES").split(), int(d.getVar("SOURCE_DATE_EPOCH")),
                   Path(d.getVar("D"), d.getVar("EFI_NAME")))
        contents.own(d.getVar("GRUB_PACKAGE"), [d.getVar("EFI_NAME")])
        layer_keep(d, packages, packages.used_by(packages.tree) | names, contents)
    bb.utils.remove(str(spool), recurse=True)
}
