# SPDX-License-Identifier: MIT
SUMMARY = "The compiler of AppArmor profiles, with which each container's policy is made at build time"
HOMEPAGE = "https://apparmor.net"
BUGTRACKER = "https://gitlab.com/apparmor/apparmor/-/issues"
# The program, and the library that it takes in.
LICENSE = "${@pycontainer.licences.expression('GPL-2.0-only AND LGPL-2.1-only', bb.utils.which(d.getVar('BBPATH'), 'lib/oe/spdx_license.py'))}"
LIC_FILES_CHKSUM = "file://../../LICENSE;md5=fd57a4b0bc782d7b80fd431f10bbf9d0 \
                    file://COPYING.LGPL;md5=a6f89e2100d9b6cdffcea4f398e37343"

DEPENDS = "autoconf-archive-native bison-native flex-native"

SRC_URI = "git://gitlab.com/apparmor/apparmor.git;protocol=https;branch=apparmor-4.1;tag=v${PV}"
SRCREV = "f0dec5aaa1e2427849b1759a79c6b3c83d719262"

# The library is configured; the parser has a Makefile, which looks for the library beside it.
S = "${UNPACKDIR}/${BP}/libraries/libapparmor"
PARSER = "${UNPACKDIR}/${BP}/parser"

inherit autotools-brokensep pkgconfig native

EXTRA_OECONF = "--disable-man-pages"
DISABLE_STATIC = ""

do_compile:append() {
    # The C++ library is the host's or uninative's, as for every native program.
    oe_runmake -C ${PARSER} apparmor_parser AARE_LDFLAGS="-L. -L${S}/src/.libs ${LDFLAGS}"
}

do_install() {
    install -D -m 0755 ${PARSER}/apparmor_parser ${D}${sbindir}/apparmor_parser
}
