# SPDX-License-Identifier: MIT
SUMMARY = "JSON in C, for the device program; meta-oe's recipe is taken where that layer is there"
HOMEPAGE = "https://github.com/akheron/jansson"
BUGTRACKER = "https://github.com/akheron/jansson/issues"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=d9911525d4128bee234ee2d3ccaa2537"

SRC_URI = "https://github.com/akheron/jansson/releases/download/v${PV}/jansson-${PV}.tar.bz2"
SRC_URI[sha256sum] = "a7eac7765000373165f9373eb748be039c10b2efc00be9af3467ec92357d8954"

inherit autotools pkgconfig
