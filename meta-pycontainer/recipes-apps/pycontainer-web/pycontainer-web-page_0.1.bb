# SPDX-License-Identifier: MIT
SUMMARY = "The page that the example app serves, and how"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://index.html;beginline=1;endline=1;md5=01fd0fe39161de2faf1e93a838bba206"

SRC_URI = "file://index.html file://pycontainer-web.conf"
S = "${UNPACKDIR}"

inherit allarch

do_install() {
    install -D -m 0644 ${S}/index.html ${D}${servicedir}/www/index.html
    install -D -m 0644 ${S}/pycontainer-web.conf ${D}${sysconfdir}/pycontainer-web.conf
}

FILES:${PN} += "${servicedir}/www"
