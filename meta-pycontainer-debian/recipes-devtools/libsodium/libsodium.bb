# SPDX-License-Identifier: MIT
SUMMARY = "Signature library of the device program"
inherit debian-dev
DEBIAN_PACKAGES = "libsodium-dev"
DEBIAN_PACKAGES_EXCLUDE = "libc6"
