# SPDX-License-Identifier: MIT
#
# What starts a board up to UEFI (its own firmware, U-Boot) becomes a part of the boot loader's layer, and of the image:
# files of the EFI system partition, and bytes at places of the disk before it. An update does not write them.
#
#   PYCONTAINER_BOARD_RECIPES = "u-boot"
#   PYCONTAINER_BOARD_FILES = "boot.cfg u-boot.bin;loader.bin"
#   PYCONTAINER_BOARD_AREAS = "spl=spl.img@32+480 u-boot=u-boot.itb@512+3584"

PYCONTAINER_BOARD_FILES ??= ""
PYCONTAINER_BOARD_FILES[doc] = "Deployed files for the EFI system partition, written as IMAGE_BOOT_FILES is"
PYCONTAINER_BOARD_AREAS ??= ""
PYCONTAINER_BOARD_AREAS[doc] = "Deployed files for places of the disk, as name=file@offset+size[;type], in KiB; type is a GPT partition's"
PYCONTAINER_BOARD_RECIPES ??= ""
PYCONTAINER_BOARD_RECIPES[doc] = "The recipes that deploy them; their documents and licence texts go along"
PYCONTAINER_BOARD_MCDEPENDS ??= ""
PYCONTAINER_BOARD_MCDEPENDS[doc] = "The same of another build configuration, as mc::NAME:RECIPE:do_deploy"

def pycontainer_board_of(d, has):
    """Return `has` where the machine has firmware of its own to bring along."""
    return has if d.getVar("PYCONTAINER_BOARD_FILES") or d.getVar("PYCONTAINER_BOARD_AREAS") else ""

def pycontainer_board_tasks(d):
    recipes = pycontainer_board_of(d, d.getVar("PYCONTAINER_BOARD_RECIPES")).split()
    tasks = ["do_deploy", "do_populate_lic"] + (["do_create_recipe_sbom"] if bb.data.inherits_class("create-spdx", d) else [])
    return " ".join("%s:%s" % (recipe, task) for recipe in recipes for task in tasks)

PYCONTAINER_FILES:append = "${@pycontainer_board_of(d, ' board=${WORKDIR}/pycontainer-board/board.tar')}"
PYCONTAINER_LICENCES:append = "${@''.join(' %s=%s' % (name, name) for name in pycontainer_board_of(d, d.getVar('PYCONTAINER_BOARD_RECIPES')).split())}"

python pycontainer_board() {
    from pathlib import Path
    import pycontainer.board, pycontainer.spdx
    from pycontainer.errors import reported
    deploy, work = Path(d.getVar("DEPLOY_DIR_IMAGE")), Path(d.getVar("WORKDIR"), "pycontainer-board")
    with reported(bb.fatal):
        pycontainer.board.write(
            work / "board.tar", deploy, pycontainer.board.parse_files(d.getVar("PYCONTAINER_BOARD_FILES")),
            pycontainer.board.parse_areas(d.getVar("PYCONTAINER_BOARD_AREAS")), int(d.getVar("SOURCE_DATE_EPOCH")))
        recipes = d.getVar("PYCONTAINER_BOARD_RECIPES").split()
        if d.getVar("PYCONTAINER_SPDX") and recipes:
            documents = [Path(d.getVar("PYCONTAINER_SPDX"))] + [deploy / (name + "-recipe-sbom.spdx.json") for name in recipes]
            d.setVar("PYCONTAINER_SPDX", str(pycontainer.spdx.merge(documents, work / "board.spdx.json")))
}
pycontainer_board[cleandirs] = "${WORKDIR}/pycontainer-board"

do_pycontainer_layer[prefuncs] += "${@pycontainer_board_of(d, 'pycontainer_board')}"
do_pycontainer_layer[depends] += "${@pycontainer_board_of(d, 'virtual/kernel:do_deploy')} ${@pycontainer_board_tasks(d)}"
do_pycontainer_layer[mcdepends] += "${PYCONTAINER_BOARD_MCDEPENDS}"
