# SPDX-License-Identifier: MIT
SUMMARY = "A Debian userland with systemd as its init: Debian's Essential packages, systemd, and what looks after services"
inherit pycontainer-rootfs

PYCONTAINER_LAYER = "systemd"
PYCONTAINER_KIND = "rootfs"
# What systemd needs beside comes with 'init: systemd' of the layer.
PYCONTAINER_CONFIG = '{"Cmd": ["/sbin/init"], "WorkingDir": "/", \
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]}'

DEBIAN_ESSENTIAL = "1"
DEBIAN_PACKAGES = "systemd systemd-sysv dbus base-files netbase mawk"
ROOTFS_CONFIGURE = "1"

ROOTFS_LINKS = "/etc/mtab=../proc/self/mounts"
