# SPDX-License-Identifier: MIT
#
# What an image needs to become a layer; pycontainer-rootfs, pycontainer-app, pycontainer-initramfs and pycontainer-bsp
# build on it. The image's own tasks do the work, and its manifest, licences and SPDX document come along.

inherit image pycontainer-layer

IMAGE_FEATURES = ""
IMAGE_LINGUAS = ""
# By the link's name: the file's own has the time in it, which is another in the next run. And where they are deployed:
# the work folder's are gone in the next run, where rm_work is inherited.
PYCONTAINER_IMAGE = "${DEPLOY_DIR_IMAGE}/${IMAGE_LINK_NAME}"
PYCONTAINER_IMAGE[doc] = "Where the image's files lie, without their suffix"
PYCONTAINER_PACKAGES = "${PYCONTAINER_IMAGE}.manifest"
PYCONTAINER_SPDX = "${@'${PYCONTAINER_IMAGE}.spdx.json' if bb.data.inherits_class('create-spdx', d) else ''}"

do_pycontainer_layer[depends] += "${PN}:do_image_complete"
do_pycontainer_layer[depends] += "${@'${PN}:do_create_image_sbom_spdx' if bb.data.inherits_class('create-spdx', d) else ''}"
# The licence texts of what is installed, and (PKGDATA_DIR) which recipes it comes from.
do_pycontainer_layer[recrdeptask] += "do_populate_lic do_packagedata"

# Which recipe each installed package comes from: known after do_rootfs, so it is asked when the layer is written.
python pycontainer_image_licences() {
    from pathlib import Path
    import pycontainer.licences
    from pycontainer.errors import reported
    with reported(bb.fatal):
        recipes = pycontainer.licences.recipes_of(Path(d.getVar("PYCONTAINER_PACKAGES")), Path(d.getVar("PKGDATA_DIR")))
    d.setVar("PYCONTAINER_LICENCES", " ".join("%s=%s" % pair for pair in sorted(recipes.items())))
}
do_pycontainer_layer[prefuncs] += "pycontainer_image_licences"
