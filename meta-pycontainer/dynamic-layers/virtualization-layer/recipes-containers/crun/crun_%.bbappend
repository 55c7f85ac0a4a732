# SPDX-License-Identifier: MIT
require ${@bb.utils.contains('DISTRO_FEATURES', 'pycontainer', 'recipes-containers/crun/pycontainer-crun.inc', '', d)}
