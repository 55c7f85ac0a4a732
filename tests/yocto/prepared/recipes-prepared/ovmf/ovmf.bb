# SPDX-License-Identifier: MIT
SUMMARY = "Files in place of the firmware that would be compiled"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
S = "${UNPACKDIR}"

inherit deploy nopackages

do_deploy() {
    echo code > ${DEPLOYDIR}/ovmf.code.qcow2
    echo vars > ${DEPLOYDIR}/ovmf.vars.qcow2
}
addtask do_deploy after do_compile before do_build
