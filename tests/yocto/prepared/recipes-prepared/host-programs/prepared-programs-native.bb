# SPDX-License-Identifier: MIT
SUMMARY = "The machine's own programs in place of those that would be compiled"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
PROVIDES = "squashfs-tools-native e2fsprogs-native dosfstools-native mtools-native zstd-native qemu-system-native grub-native \
    apparmor-parser-native pseudo-native virtual/fakeroot-native"

inherit native

PREPARED_PROGRAMS = "mksquashfs unsquashfs mke2fs e2fsck debugfs tune2fs dumpe2fs mkfs.fat mtools mcopy mmd mdir mtype mdel \
    minfo zstd apparmor_parser grub-mkstandalone grub-mkimage grub-script-check"

deltask do_fetch
deltask do_unpack
deltask do_patch

python do_install() {
    import shutil
    from pathlib import Path
    target = Path(d.getVar("D") + d.getVar("bindir"))
    target.mkdir(parents=True, exist_ok=True)
    for name in d.getVar("PREPARED_PROGRAMS").split():
        found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
        if not found:
            bb.fatal("the program %s is not on this machine; tests/yocto/check --help lists what it needs" % name)
        shutil.copy2(found, target / name)
    # its one use: qemu-img convert -O raw FROM TO, of firmware that is raw already here
    (target / "qemu-img").write_text('#!/bin/sh\ncp "$4" "$5"\n')
    (target / "qemu-img").chmod(0o755)
}
