# SPDX-License-Identifier: MIT
SUMMARY = "The container engines' default seccomp profile, from which run configurations are made at build time"
HOMEPAGE = "https://github.com/containers/common"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = "https://raw.githubusercontent.com/containers/common/v${PV}/pkg/seccomp/seccomp.json;downloadfilename=seccomp-${PV}.json"
SRC_URI[sha256sum] = "886ae167646b7e5db381ecf7c31e6de720a8e8da15cf3202fe1f67f424af2b75"

S = "${UNPACKDIR}"

inherit native

do_install() {
    install -D -m 0644 ${UNPACKDIR}/seccomp-${PV}.json ${D}${datadir}/containers/seccomp.json
}
