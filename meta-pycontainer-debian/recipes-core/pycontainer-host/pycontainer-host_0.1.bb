# SPDX-License-Identifier: MIT
SUMMARY = "The host: an initramfs with the device program, crun, e2fsck and the modules that reach storage"
inherit pycontainer-layer

PYCONTAINER_LAYER = "host"
PYCONTAINER_KIND = "host"
PYCONTAINER_FILES = "initramfs=initramfs.cpio.zst"
PYCONTAINER_COMPONENTS = "pycontainer-device sd-stub ${HOST_LXC_PROGRAM}"
# The modules are files of the kernel's package, which come by way of the bsp layer.
PYCONTAINER_CARRIED = "bsp"

# A product that runs nothing by LXC does not carry it: it is as large as crun.
PYCONTAINER_HOST_RUNTIMES = "${PYCONTAINER_RUNTIMES}"
HOST_LXC_PROGRAM = "${@bb.utils.contains('PYCONTAINER_RUNTIMES', 'lxc', 'pycontainer-lxc', '', d)}"
HOST_LXC_PACKAGES = "${@bb.utils.contains('PYCONTAINER_RUNTIMES', 'lxc', 'liblxc1t64', '', d)}"
HOST_LXC_PLACE = "${@bb.utils.contains('PYCONTAINER_RUNTIMES', 'lxc', 'usr/libexec/pycontainer-lxc', '', d)}"

# The device program has these libraries in it, so their licences are the layer's too.
HOST_STATIC = "libjansson-dev libsodium-dev"
PYCONTAINER_STATIC = '{"pycontainer-device": ["libjansson-dev", "libsodium-dev"]}'
DEBIAN_PACKAGES = "crun e2fsprogs ${HOST_STATIC} ${HOST_LXC_PACKAGES}"
DEBIAN_PACKAGES_EXCLUDE = "logsave libc6-dev"
DEBIAN_MAIN_PACKAGE = ""
HOST_PROGRAMS = "usr/sbin/pycontainer-init usr/bin/crun usr/sbin/e2fsck ${HOST_LXC_PLACE}"
HOST_LIBRARIES = "usr/lib/${TARGET_TRIPLET}"
SRC_URI = "file://modules.list file://load.list"

do_install[depends] += "linux-debian:do_deploy native-tools:do_deploy pycontainer-device:do_populate_sysroot \
    sd-stub:do_populate_sysroot native-toolchain:do_populate_sysroot \
    ${@bb.utils.contains('PYCONTAINER_RUNTIMES', 'lxc', 'pycontainer-lxc:do_populate_sysroot', '', d)}"
do_install[file-checksums] += "${PYCONTAINER_LIB}/initramfs.py:True ${PYCONTAINER_LIB}/elf.py:True ${PYCONTAINER_LIB}/modules.py:True"
do_install[cleandirs] += "${WORKDIR}/depmod"
python do_install() {
    import json
    from pathlib import Path
    from pycontainer_debian import initramfs, modules
    from pycontainer_debian.archives import read_tar
    from pycontainer_debian.contents import RECIPE, Contents
    from pycontainer_debian.errors import reported
    sources, tools = Path(d.getVar("UNPACKDIR")), Path(d.getVar("NATIVE_TOOLS"), "bin")
    with reported(bb.fatal):
        packages = layer_packages(d)
        tree = initramfs.skeleton(int(d.getVar("SOURCE_DATE_EPOCH")))
        libraries = [d.getVar("HOST_LIBRARIES")]
        host_own(d, packages.tree, "sd-stub", "usr/lib/libsystemd.so.0", libraries[0] + "/libsystemd.so.0")
        host_own(d, packages.tree, "pycontainer-device", "usr/sbin/pycontainer-init", "usr/sbin/pycontainer-init")
        if d.getVar("HOST_LXC_PLACE"):
            host_own(d, packages.tree, "pycontainer-lxc", d.getVar("HOST_LXC_PLACE"), d.getVar("HOST_LXC_PLACE"))
        initramfs.add_programs(tree, packages.tree, d.getVar("HOST_PROGRAMS").split(), libraries)
        tree.symlink("init", "usr/sbin/pycontainer-init")
        bsp = read_tar(Path(d.getVar("DEPLOY_DIR_IMAGE"), "bsp/modules.tar"), "lib/modules")
        modules.add_to_host(tree, bsp, "\n".join([(sources / "modules.list").read_text(), d.getVar("MACHINE_MODULES_HOST")]), tools / "depmod",
                            Path(d.getVar("WORKDIR"), "depmod"))
        tree.file("etc/pycontainer/modules", initramfs.load_list("\n".join([d.getVar("MACHINE_MODULES_LOAD"), (sources / "load.list").read_text()])))
        initramfs.write_initramfs(tree, tools / "zstd", Path(d.getVar("D"), "initramfs.cpio.zst"))
        contents = Contents()
        contents.own("sd-stub", [libraries[0] + "/libsystemd.so.0"])
        contents.own("pycontainer-device", ["usr/sbin/pycontainer-init"])
        if d.getVar("HOST_LXC_PLACE"):
            contents.own("pycontainer-lxc", [d.getVar("HOST_LXC_PLACE")])
        contents.explain(RECIPE, ["etc/pycontainer/modules"])
        contents.from_modules(tree, json.loads(Path(d.getVar("DEPLOY_DIR_IMAGE"), "bsp/contents.json").read_text()))
        contents.settle(tree, packages.whole)
        layer_keep(d, packages, packages.used_by(tree) | set(d.getVar("HOST_STATIC").split()), contents)
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
    bb.utils.remove(d.getVar("WORKDIR") + "/depmod", recurse=True)
}

def host_own(d, tree, recipe, path, place):
    """Put a recipe's own product, stripped, in the place of what the packages have there."""
    import subprocess
    from pathlib import Path
    built = Path(d.getVar("STAGING_DIR"), recipe, path)
    stripped = Path(d.getVar("SPOOL"), recipe)
    strip = Path(d.getVar("NATIVE_TOOLCHAIN"), "bin", d.getVar("TARGET_TRIPLET") + "-strip")
    subprocess.run([str(strip), "-s", "-o", str(stripped), str(built)], check=True)
    tree.file(place, stripped.read_bytes(), built.stat().st_mode & 0o777)
