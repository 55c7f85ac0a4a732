# SPDX-License-Identifier: MIT
SUMMARY = "The OCI runtime that starts the containers; meta-virtualization's recipe is taken where that layer is there"
HOMEPAGE = "https://github.com/containers/crun"
BUGTRACKER = "https://github.com/containers/crun/issues"
# The program, libcrun within it, and BLAKE3 within that. What libocispec generates is under whichever of them takes it in.
LICENSE = "${@pycontainer.licences.expression('GPL-2.0-or-later AND LGPL-2.1-or-later AND (Apache-2.0 OR CC0-1.0)', \
    bb.utils.which(d.getVar('BBPATH'), 'lib/oe/spdx_license.py'))}"
LIC_FILES_CHKSUM = "file://COPYING;md5=b234ee4d69f5fce4486a80fdaf4a4263 \
                    file://COPYING.libcrun;md5=4fbd65380cdd255951079008b364516c \
                    file://src/libcrun/blake3/LICENSE;md5=f411d8e1dc79efe23089d47c18fe1e8f"

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
