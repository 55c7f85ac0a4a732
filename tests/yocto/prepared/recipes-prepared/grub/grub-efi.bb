# SPDX-License-Identifier: MIT
SUMMARY = "The machine's GRUB modules in place of those that would be compiled"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
S = "${UNPACKDIR}"

INSANE_SKIP:${PN} = "arch already-stripped buildpaths"
FILES:${PN} = "${libdir}/grub"

do_install() {
    install -d ${D}${libdir}/grub
    cp -r --no-preserve=ownership /usr/lib/grub/x86_64-efi ${D}${libdir}/grub/
}
sysroot_stage_all:append() {
    sysroot_stage_dir ${D}${libdir}/grub ${SYSROOT_DESTDIR}${libdir}/grub
}
