# SPDX-License-Identifier: MIT
SUMMARY = "A small Debian userland that brings up the network: Debian's Essential packages, busybox for DHCP"
inherit pycontainer-rootfs

PYCONTAINER_LAYER = "rootfs"
PYCONTAINER_KIND = "rootfs"
PYCONTAINER_CONFIG = '{"Cmd": ["/usr/lib/pycontainer/network"], "WorkingDir": "/", "StopSignal": "SIGTERM", \
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"], \
    "Volumes": {"/run": {}, "/tmp": {}}}'

DEBIAN_ESSENTIAL = "1"
DEBIAN_PACKAGES = "base-files busybox netbase mawk"
ROOTFS_CONFIGURE = "1"

SRC_URI = "file://network file://lease"
ROOTFS_FILES = "network=/usr/lib/pycontainer/network:0755 lease=/usr/lib/pycontainer/lease:0755"
# The root is read-only: what DHCP learns lies in /run, a volume.
ROOTFS_LINKS = "/etc/resolv.conf=/run/resolv.conf /etc/mtab=/proc/self/mounts"
