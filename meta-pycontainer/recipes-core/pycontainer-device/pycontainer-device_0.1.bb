# SPDX-License-Identifier: MIT
SUMMARY = "PyContainer device program: the supervisor that is PID 1 of the host"
DESCRIPTION = "Finds storage, verifies the signed revision, mounts its layers and supervises its containers."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://src/main.c;beginline=1;endline=1;md5=6ec41034e04432ee375d0e14fba596f4"

DEPENDS = "jansson libsodium"

SRC_URI = "file://Makefile \
           file://src"

S = "${UNPACKDIR}"

do_compile() {
    oe_runmake
}

do_install() {
    oe_runmake install DESTDIR=${D}
}

FILES:${PN} += "/init"
