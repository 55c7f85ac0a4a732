# SPDX-License-Identifier: MIT
SUMMARY = "What the host is made of: device program, container runtime, e2fsck, and modules that reach storage"
# Which modules there are depends on the machine's kernel.
PACKAGE_ARCH = "${MACHINE_ARCH}"
inherit packagegroup

PYCONTAINER_HOST_MODULES ?= " \
    virtio-pci virtio-blk virtio-scsi nvme ahci sd-mod usb-storage uas xhci-pci xhci-plat-hcd ehci-pci \
    mmc-block sdhci-pci sdhci-acpi sdhci-iproc ext4 squashfs loop overlay sha256 sha256-ssse3 crc32c-intel"
PYCONTAINER_HOST_MODULES[doc] = "Modules in the initramfs: what it takes to reach storage. All others come with the BSP"

RDEPENDS:${PN} = "pycontainer-device crun e2fsprogs-e2fsck"
# A module may be built into the kernel, and then has no package.
RRECOMMENDS:${PN} = "${@' '.join('kernel-module-' + name for name in d.getVar('PYCONTAINER_HOST_MODULES').split())}"
