# SPDX-License-Identifier: MIT
SUMMARY = "A small userland that brings up the network: BusyBox and nothing that a container does not need"
LICENSE = "MIT"
inherit pycontainer-rootfs

PYCONTAINER_LAYER = "rootfs"
IMAGE_INSTALL = "base-files base-passwd netbase busybox busybox-udhcpc pycontainer-network"
PYCONTAINER_CONFIG = '{"Cmd": ["/usr/libexec/pycontainer/network"], "WorkingDir": "/", "StopSignal": "SIGTERM", \
    "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Volumes": {"/run": {}, "/tmp": {}}}'
