# SPDX-License-Identifier: MIT
# Packages are split and described for real; only the archives of the package manager, which is compiled, are not written.
do_package_write_ipk[noexec] = "1"
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INHIBIT_SYSROOT_STRIP = "1"
INHIBIT_DEFAULT_DEPS = "1"
