# SPDX-License-Identifier: MIT
SUMMARY = "Stands in for libsystemd beneath crun, on a host that has no systemd: 0.8 MB of the initramfs, 2 MB of RAM"
DESCRIPTION = "crun calls these functions for its systemd cgroup manager and journal log only; the host uses neither."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://sd-stub.c;beginline=1;endline=1;md5=6ec41034e04432ee375d0e14fba596f4"

SRC_URI = "file://sd-stub.c file://sd-stub.map"

do_compile() {
    ${CC} ${CFLAGS} -std=c11 -Wall -Wextra -Werror -fPIC -shared -nostdlib ${LDFLAGS} -Wl,-soname,libsystemd.so.0 \
        -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--version-script=${S}/sd-stub.map -o libsystemd.so.0 ${S}/sd-stub.c
}

do_install() {
    install -d ${D}${libdir}
    install -m 0644 libsystemd.so.0 ${D}${libdir}/libsystemd.so.0
}
