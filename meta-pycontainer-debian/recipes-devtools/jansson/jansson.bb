# SPDX-License-Identifier: MIT
SUMMARY = "JSON library of the device program"
inherit debian-dev
DEBIAN_PACKAGES = "libjansson-dev"
DEBIAN_PACKAGES_EXCLUDE = "libc6"
