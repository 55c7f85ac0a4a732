# SPDX-License-Identifier: MIT
SUMMARY = "Debian's kernel and the modules that a device of this machine needs"
inherit pycontainer-layer

PYCONTAINER_LAYER = "bsp"
PYCONTAINER_KIND = "bsp"
PYCONTAINER_FILES = "kernel=vmlinuz modules=modules.tar ${@'dtb=machine.dtb' if d.getVar('MACHINE_DEVICE_TREE') else ''}"
PYCONTAINER_COMMAND_LINE = "${KERNEL_COMMAND_LINE}"

DEBIAN_PACKAGES = "${KERNEL_PACKAGE}"
DEBIAN_PACKAGES_EXCLUDE = "initramfs-tools kmod linux-base"
# A product adds to the list by a .bbappend: SRC_URI += "file://more.list", MODULE_LISTS += "more.list"
SRC_URI = "file://modules.list"
MODULE_LISTS ?= "modules.list"

do_install[depends] += "native-tools:do_deploy"
do_install[file-checksums] += "${PYCONTAINER_LIB}/modules.py:True"
do_install[cleandirs] += "${WORKDIR}/depmod"
python do_install() {
    from pathlib import Path
    from pycontainer_debian import modules
    from pycontainer_debian.archives import write_tar
    from pycontainer_debian.contents import DEPMOD, Contents
    from pycontainer_debian.errors import DebianError, reported
    lists = [Path(d.getVar("UNPACKDIR"), name).read_text() for name in d.getVar("MODULE_LISTS").split()]
    wanted = modules.wishes("\n".join([*lists, d.getVar("MACHINE_MODULES_BSP")]))
    depmod, work = Path(d.getVar("NATIVE_TOOLS"), "bin/depmod"), Path(d.getVar("WORKDIR"), "depmod")
    with reported(bb.fatal):
        packages = layer_packages(d)
        release = modules.release_of(packages.tree)
        folder = "lib/modules/" + release
        source = modules.moved(packages.tree, "usr/" + folder, folder)
        tree = modules.curated(source, release, wanted, depmod, work)
        write_tar(tree, Path(d.getVar("D"), "modules.tar"))
        image = "boot/%s-%s" % (d.getVar("KERNEL_IMAGE"), release)
        kernel = packages.tree.lookup(image)
        if kernel is None:
            raise DebianError("the kernel package has no %s" % image, "", "correct kernel-image in the architecture's data file")
        Path(d.getVar("D"), "vmlinuz").write_bytes(kernel.content.read())
        paths = [image]
        contents = Contents()
        if d.getVar("MACHINE_DEVICE_TREE"):
            paths.append(modules.device_tree(packages.tree, release, d.getVar("MACHINE_DEVICE_TREE")))
            Path(d.getVar("D"), "machine.dtb").write_bytes(packages.tree.lookup(paths[-1]).content.read())
            contents.own(kernel.origin, ["machine.dtb"])
        files = [path for path, entry in tree.items() if entry.is_file]
        contents.own(kernel.origin, ["vmlinuz", *(path for path in files if ".ko" in path)])
        contents.explain(DEPMOD, [path for path in files if ".ko" not in path])
        contents.gone(packages.whole, ["usr/" + path for path in files] + paths)
        layer_keep(d, packages, {kernel.origin}, contents)
    bb.utils.remove(d.getVar("SPOOL"), recurse=True)
    bb.utils.remove(str(work), recurse=True)
}
