# SPDX-License-Identifier: MIT
SUMMARY = "The host: an initramfs with the device program, crun, e2fsck and the modules that reach storage"
LICENSE = "MIT"
inherit pycontainer-initramfs

PACKAGE_INSTALL = "packagegroup-pycontainer-host"
# Before the first digest: without it the kernel takes its slow generic code for fs-verity.
PYCONTAINER_HOST_LOAD:prepend:x86-64 = "sha256_ssse3 crc32c_intel "
