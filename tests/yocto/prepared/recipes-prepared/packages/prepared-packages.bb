# SPDX-License-Identifier: MIT
SUMMARY = "An empty package in place of all that our images install and that would be compiled"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
S = "${UNPACKDIR}"

inherit allarch

ALLOW_EMPTY:${PN} = "1"
RPROVIDES:${PN} = "base-files base-passwd netbase busybox busybox-udhcpc lighttpd pycontainer-device crun e2fsprogs-e2fsck  run-postinsts "
