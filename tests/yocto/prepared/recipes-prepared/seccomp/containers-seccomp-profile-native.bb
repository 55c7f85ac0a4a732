# SPDX-License-Identifier: MIT
SUMMARY = "A seccomp profile in place of the one that would be downloaded"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
S = "${UNPACKDIR}"

inherit native

do_install() {
    install -d ${D}${datadir}/containers
    echo '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}' > ${D}${datadir}/containers/seccomp.json
}
