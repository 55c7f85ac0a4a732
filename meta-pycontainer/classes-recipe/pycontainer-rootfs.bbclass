# SPDX-License-Identifier: MIT
#
# A distribution's userland as a container.
#
#   SUMMARY = "The userland of my product"
#   LICENSE = "MIT"
#   inherit pycontainer-rootfs
#   IMAGE_INSTALL = "packagegroup-core-boot my-service"
#   PYCONTAINER_CONFIG = '{"Cmd": ["/sbin/init"], "StopSignal": "SIGRTMIN+3"}'
#
# The root is read-only on the device; /dev, /proc and /sys are mounted there, /run and /tmp are volumes by default.

inherit pycontainer-image

PYCONTAINER_LAYER ?= "rootfs"
PYCONTAINER_KIND = "rootfs"
PYCONTAINER_FILES = "rootfs=${PYCONTAINER_IMAGE}.tar"
PYCONTAINER_CONFIG ?= '{"Cmd": ["/sbin/init"], "WorkingDir": "/", "StopSignal": "SIGTERM", "Volumes": {"/run": {}, "/tmp": {}}}'

IMAGE_FSTYPES = "tar"
IMAGE_FEATURES = "read-only-rootfs ${EXTRA_IMAGE_FEATURES}"
# A container has the device's kernel; one of its own would only be carried about.
PACKAGE_EXCLUDE += "kernel-image-* kernel-devicetree"
