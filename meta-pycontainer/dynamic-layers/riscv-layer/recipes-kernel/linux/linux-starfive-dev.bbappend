# SPDX-License-Identifier: MIT
require recipes-kernel/linux/pycontainer-kernel.inc
