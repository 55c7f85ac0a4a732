# SPDX-License-Identifier: MIT
SUMMARY = "The programs that write layers and images, as a tree in the deploy folder"
DESCRIPTION = "What SquashFS, ext4 and FAT images are made with belongs to the build: the same inputs, the same bytes."
LICENSE = "MIT"

DEPENDS = "squashfs-tools-native e2fsprogs-native dosfstools-native mtools-native zstd-native \
    apparmor-parser-native containers-seccomp-profile-native"

inherit native deploy nopackages

PYCONTAINER_TOOLS = "mksquashfs unsquashfs mke2fs e2fsck debugfs tune2fs dumpe2fs mkfs.fat mtools mcopy mmd mdir mtype mdel minfo zstd \
    apparmor_parser"

# The firmware that QEMU boots a machine with, raw, as pycontainer run wants it.
PYCONTAINER_FIRMWARE ??= ""
PYCONTAINER_FIRMWARE[doc] = "Firmware images in the deploy folder that are converted to raw form for the emulator"
DEPENDS:append = "${@' qemu-system-native' if d.getVar('PYCONTAINER_FIRMWARE') else ''}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"
deltask do_populate_sysroot

do_deploy[cleandirs] += "${DEPLOYDIR}"
python do_deploy() {
    import shutil
    import subprocess
    from pathlib import Path
    import pycontainer.tools
    from pycontainer.errors import reported
    sysroot, tree = Path(d.getVar("RECIPE_SYSROOT_NATIVE")), Path(d.getVar("DEPLOYDIR"), "native-tools")
    with reported(bb.fatal):
        pycontainer.tools.collect(sysroot, d.getVar("PYCONTAINER_TOOLS").split(), tree)
    profile = Path("share", "containers", "seccomp.json")
    (tree / profile).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sysroot / "usr" / profile, tree / profile)
    for name in d.getVar("PYCONTAINER_FIRMWARE").split():
        raw = tree / "share" / "firmware" / Path(name).with_suffix(".fd").name
        raw.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(sysroot / "usr/bin/qemu-img"), "convert", "-O", "raw", str(Path(d.getVar("DEPLOY_DIR_IMAGE"), name)),
                        str(raw)], check=True)
    (tree / "digest").write_text(pycontainer.tools.facts(tree, sorted(d.getVar("DEPENDS").split())) + "\n")
}
addtask do_deploy after do_prepare_recipe_sysroot before do_build
do_deploy[depends] += "${@'ovmf:do_deploy' if 'ovmf' in d.getVar('PYCONTAINER_FIRMWARE') else ''}"
