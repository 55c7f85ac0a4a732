# SPDX-License-Identifier: MIT
SUMMARY = "A kernel's files in place of one that would be compiled"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
PROVIDES = "virtual/kernel"

inherit deploy

PACKAGE_ARCH = "${MACHINE_ARCH}"
PACKAGES = "kernel-modules"
PACKAGES_DYNAMIC = "^kernel-module-.*"
FILES:kernel-modules = "${nonarch_base_libdir}"
INSANE_SKIP:kernel-modules = "buildpaths"
SRC_URI = ""

do_install() {
    install -d ${D}${nonarch_base_libdir}/modules/${PV}.1/kernel ${D}${nonarch_base_libdir}/firmware
    echo module > ${D}${nonarch_base_libdir}/modules/${PV}.1/kernel/loop.ko
    echo "kernel/loop.ko:" > ${D}${nonarch_base_libdir}/modules/${PV}.1/modules.dep
    echo firmware > ${D}${nonarch_base_libdir}/firmware/regulatory.db
}
do_deploy() {
    echo kernel > ${DEPLOYDIR}/${KERNEL_IMAGETYPE}
}
addtask do_deploy after do_install before do_build
S = "${UNPACKDIR}"
