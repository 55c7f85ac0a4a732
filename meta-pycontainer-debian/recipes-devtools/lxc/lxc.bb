# SPDX-License-Identifier: MIT
SUMMARY = "Headers and library of LXC, for the program that runs containers by it"
inherit debian-dev
DEBIAN_PACKAGES = "lxc-dev"
DEBIAN_PACKAGES_EXCLUDE = "lxc libc6 libgcc-s1 libapparmor1 libcap2 libcap-dev libdbus-1-3 libdbus-1-dev libseccomp2 libseccomp-dev \
    libselinux1 libselinux-dev"
