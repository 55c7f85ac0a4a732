# SPDX-License-Identifier: MIT
SUMMARY = "The C library and the kernel's headers, for recipes that compile"
inherit debian-dev
DEBIAN_PACKAGES = "libc6-dev"
DEBIAN_PACKAGES_EXCLUDE = "libc-dev-bin rpcsvc-proto"
