# SPDX-License-Identifier: MIT
SUMMARY = "GRUB as one EFI program, its configuration and modules embedded"
DESCRIPTION = "Boots the revision that the boot record selects, on firmware with UEFI: a PC's, EDK2, or U-Boot."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://grub.cfg;beginline=1;endline=1;md5=b2dccaa94b3629a08bfb4f983cad6f89"

DEPENDS = "grub-efi grub-native"

SRC_URI = "file://grub.cfg"
S = "${UNPACKDIR}"

inherit pycontainer-layer pycontainer-board

# Where GRUB has an EFI target for.
COMPATIBLE_HOST = '(x86_64|i.86|aarch64|arm|riscv64).*-linux.*'

PYCONTAINER_LAYER = "bootloader"
PYCONTAINER_KIND = "bootloader"
PYCONTAINER_FILES = "efi=${B}/${PYCONTAINER_EFI}"
PYCONTAINER_EFI = "${@pycontainer_grub(d)[1]}"
# What the configuration uses, and a way to hand the screen over to the kernel.
PYCONTAINER_GRUB_MODULES = "part_gpt fat ext2 normal linux loadenv test echo regexp probe sleep reboot all_video \
    ${@bb.utils.contains_any('TARGET_ARCH', 'aarch64 arm riscv64', 'fdt', '', d)}"
PYCONTAINER_GRUB_PRELOADED = "part_gpt fat ext2 regexp normal"
PYCONTAINER_LICENCES = "grub-efi=grub-efi"
PYCONTAINER_SPDX = "${@'${DEPLOY_DIR_IMAGE}/grub-efi-recipe-sbom.spdx.json' if bb.data.inherits_class('create-spdx', d) else ''}"
B = "${WORKDIR}/build"

def pycontainer_grub(d):
    """GRUB's target and the EFI program's name for the machine."""
    import pycontainer.architecture
    from pycontainer.errors import reported
    with reported(bb.fatal):
        return pycontainer.architecture.grub_target(d.getVar("TARGET_ARCH"))

python pycontainer_grub_memdisk() {
    from pathlib import Path
    import pycontainer.memdisk
    from pycontainer.errors import reported
    with reported(bb.fatal):
        pycontainer.memdisk.write(
            Path(d.getVar("B"), "memdisk.tar"), Path(d.getVar("STAGING_LIBDIR"), "grub", pycontainer_grub(d)[0]),
            d.getVar("PYCONTAINER_GRUB_MODULES").split(), Path(d.getVar("S"), "grub.cfg"), int(d.getVar("SOURCE_DATE_EPOCH")))
}
do_compile[prefuncs] += "pycontainer_grub_memdisk"
pycontainer_grub_memdisk[cleandirs] = "${B}"
do_compile() {
    grub-script-check ${S}/grub.cfg
    grub-mkimage --directory=${STAGING_LIBDIR}/grub/${@pycontainer_grub(d)[0]} --format=${@pycontainer_grub(d)[0]} \
        --output=${B}/${PYCONTAINER_EFI} --prefix='(memdisk)/boot/grub' --memdisk=${B}/memdisk.tar \
        ${PYCONTAINER_GRUB_PRELOADED} memdisk tar
}

do_install[noexec] = "1"
deltask do_package_qa

addtask do_pycontainer_layer after do_compile before do_build
do_pycontainer_layer[depends] += "grub-efi:do_populate_lic"
do_pycontainer_layer[depends] += "${@'grub-efi:do_create_recipe_sbom' if bb.data.inherits_class('create-spdx', d) else ''}"
