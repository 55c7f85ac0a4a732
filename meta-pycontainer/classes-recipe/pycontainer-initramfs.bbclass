# SPDX-License-Identifier: MIT
#
# The host: an initramfs with the device program as /init, the container runtime, e2fsck, and the modules that reach
# storage. See recipes-core/images/pycontainer-host.bb.

inherit pycontainer-image

PYCONTAINER_LAYER = "host"
PYCONTAINER_KIND = "host"
PYCONTAINER_FILES = "initramfs=${PYCONTAINER_IMAGE}.cpio.zst"

PYCONTAINER_HOST_LOAD ?= "loop squashfs"
PYCONTAINER_HOST_LOAD[doc] = "Modules that are loaded at every start, in this order; drivers follow by the devices' names"

IMAGE_FSTYPES = "cpio.zst"
IMAGE_ROOTFS_SIZE = "8192"
IMAGE_ROOTFS_EXTRA_SPACE = "0"
PACKAGE_EXCLUDE = "kernel-image-*"
# The modules that reach storage are recommended: whether a kernel has them as packages is known late.
NO_RECOMMENDATIONS = ""

# What the kernel and process 1 find at their start: mount points, and a console before anything is mounted (the kernel
# opens it for process 1; Linux init/main.c, console_on_rootfs).
pycontainer_host_skeleton() {
    for folder in dev proc sys run storage tmp root etc/pycontainer; do
        install -d ${IMAGE_ROOTFS}/$folder
    done
    chmod 1777 ${IMAGE_ROOTFS}/tmp
    chmod 0700 ${IMAGE_ROOTFS}/root
    rm -f ${IMAGE_ROOTFS}/dev/console
    mknod -m 0600 ${IMAGE_ROOTFS}/dev/console c 5 1
    : > ${IMAGE_ROOTFS}/etc/pycontainer/modules
    for module in ${PYCONTAINER_HOST_LOAD}; do
        echo $module >> ${IMAGE_ROOTFS}/etc/pycontainer/modules
    done
}
ROOTFS_POSTPROCESS_COMMAND += "pycontainer_host_skeleton"
