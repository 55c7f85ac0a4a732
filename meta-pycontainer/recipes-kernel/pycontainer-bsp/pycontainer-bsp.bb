# SPDX-License-Identifier: MIT
SUMMARY = "The BSP: kernel, modules, firmware and device trees of the machine"
LICENSE = "MIT"
inherit pycontainer-bsp

PYCONTAINER_BSP_FIRMWARE ?= ""
PYCONTAINER_BSP_FIRMWARE[doc] = "Packages of firmware that this machine's drivers ask for, such as linux-firmware-rtl8168"

PACKAGE_INSTALL = "kernel-modules ${PYCONTAINER_BSP_FIRMWARE}"
