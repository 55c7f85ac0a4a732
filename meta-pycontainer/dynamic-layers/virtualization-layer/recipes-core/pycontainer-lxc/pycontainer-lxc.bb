# SPDX-License-Identifier: MIT
SUMMARY = "LXC as a runtime of the device program: liblxc behind crun's command line"
DESCRIPTION = "Starts, enters and forgets the containers of layers whose runtime is LXC, for hosts that have one of them."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://pycontainer-lxc.c;beginline=1;endline=1;md5=6ec41034e04432ee375d0e14fba596f4"

DEPENDS = "lxc"

SRC_URI = "file://Makefile \
           file://common.c \
           file://common.h \
           file://enter.c \
           file://forget.c \
           file://mounts.c \
           file://mounts.h \
           file://pycontainer-lxc.c \
           file://run.c \
           file://verbs.h"

S = "${UNPACKDIR}"

do_compile() {
    oe_runmake
}

do_install() {
    oe_runmake install DESTDIR=${D}
}
