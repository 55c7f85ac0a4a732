# SPDX-License-Identifier: MIT
SUMMARY = "Brings up every wired network card by DHCP, from inside the rootfs container"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://network;beginline=2;endline=2;md5=b2dccaa94b3629a08bfb4f983cad6f89"

SRC_URI = "file://network file://lease"
S = "${UNPACKDIR}"

inherit allarch

do_install() {
    install -D -m 0755 ${S}/network ${D}${libexecdir}/pycontainer/network
    install -D -m 0755 ${S}/lease ${D}${libexecdir}/pycontainer/lease
}

RDEPENDS:${PN} = "busybox busybox-udhcpc"
