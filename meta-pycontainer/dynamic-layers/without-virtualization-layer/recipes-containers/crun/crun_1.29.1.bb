# SPDX-License-Identifier: MIT
SUMMARY = "The OCI runtime that starts the containers; meta-virtualization's recipe is taken where that layer is there"
HOMEPAGE = "https://github.com/containers/crun"
BUGTRACKER = "https://github.com/containers/crun/issues"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://COPYING;md5=b234ee4d69f5fce4486a80fdaf4a4263"

DEPENDS = "json-c libcap libseccomp"
DEPENDS:append:libc-musl = " argp-standalone"

# libocispec, of which the configuration's parser is generated, is a submodule with submodules of its own.
SRC_URI = "gitsm://github.com/containers/crun.git;protocol=https;branch=main"
SRCREV = "f0d911de5587342cfeb16473bf32ecdfeaf25957"

inherit autotools-brokensep pkgconfig python3native

# The supervisor is no systemd, and nothing loads the runtime as a library.
EXTRA_OECONF = "--disable-systemd --disable-criu --disable-libcrun --enable-embedded-blake3"

# Its GNUmakefile refuses every target before configure has run, `clean` too.
CLEANBROKEN = "1"
