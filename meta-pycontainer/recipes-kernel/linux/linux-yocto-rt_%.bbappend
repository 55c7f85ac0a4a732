# SPDX-License-Identifier: MIT
require ${@bb.utils.contains('DISTRO_FEATURES', 'pycontainer', 'recipes-kernel/linux/pycontainer-kernel.inc', '', d)}
