# SPDX-License-Identifier: MIT
# This layer's kernels merge the fragments that KERNEL_CONFIG_FRAGMENTS names.
require recipes-kernel/linux/pycontainer-kernel.inc
KERNEL_CONFIG_FRAGMENTS += "${@bb.utils.contains('DISTRO_FEATURES', 'pycontainer', '${UNPACKDIR}/pycontainer.cfg', '', d)}"
