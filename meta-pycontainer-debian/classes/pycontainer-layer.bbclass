# SPDX-License-Identifier: GPL-2.0-only
# A recipe that deploys one PyContainer layer. Its do_install puts the files into ${D} and names them in PYCONTAINER_FILES
# as role=file; do_deploy adds SPDX facts, copyright files and layer.json, and swaps the folder into the deploy folder.

inherit debian-packages

PYCONTAINER_LAYER ??= "${PN}"
PYCONTAINER_KIND ??= "app"
PYCONTAINER_FILES ??= "rootfs=rootfs.tar"
PYCONTAINER_COMMAND_LINE ??= ""
# An OCI image configuration object as JSON: Cmd, Env, WorkingDir, User, StopSignal, ExposedPorts, Volumes.
PYCONTAINER_CONFIG ??= "{}"
# Of a host: what it can run containers by.
PYCONTAINER_HOST_RUNTIMES ??= ""
# Recipes whose own products are in the layer, beside Debian packages.
PYCONTAINER_COMPONENTS ??= ""
# Deployed layers that this one has files of: what they are made of is in this one too, with its licences.
PYCONTAINER_CARRIED ??= ""
# Whose code is in which component's programs, as JSON: {"component": ["package", ...]}.
PYCONTAINER_STATIC ??= "{}"
DEBIAN_PURL_DISTRO = "debian-${DEBIAN_VERSION}"

def layer_packages(d):
    """The recipe's packages, opened and merged; see pycontainer_debian.layer.Packages."""
    from pathlib import Path
    from pycontainer_debian.layer import Packages
    return Packages(debian_debs(d), Path(d.getVar("SPOOL"), "data"), int(d.getVar("SOURCE_DATE_EPOCH")))

def layer_keep(d, packages, names, contents):
    """Note for do_deploy which packages the layer has files of, and who owns which (pycontainer_debian.contents)."""
    import json
    from pathlib import Path
    folder = Path(d.getVar("WORKDIR"), "facts")
    bb.utils.remove(str(folder), recurse=True)
    for name in sorted(names):
        bb.utils.mkdirhier(str(folder / "copyright"))
        (folder / "copyright" / name).write_bytes(packages.copyrights.get(name, b""))
    (folder / "packages.json").write_text(json.dumps(sorted(names)))
    (folder / "contents.json").write_bytes(contents.to_json())

def layer_components(d, copyrights):
    from pathlib import Path
    from pycontainer_debian.spdx import Component
    found = []
    for name in (d.getVar("PYCONTAINER_COMPONENTS") or "").split():
        folder = Path(d.getVar("STAGING_DIR"), name, "usr/share/pycontainer", name)
        version, license = (folder / "facts").read_text().split("\n")[:2]
        found.append(Component(name, version, license))
        copyrights[name] = (folder / "copyright").read_bytes()
    return found

def layer_carried(d, copyrights):
    from pathlib import Path
    from pycontainer_debian.layer import carried_from
    found = []
    for name in d.getVar("PYCONTAINER_CARRIED").split():
        packages, texts = carried_from(Path(d.getVar("DEPLOY_DIR_IMAGE"), name))
        found += packages
        copyrights.update(texts)
    return found

do_install[file-checksums] += "${PYCONTAINER_LIB}/contents.py:True"
do_deploy[file-checksums] += "${PYCONTAINER_LIB}/relation.py:True ${PYCONTAINER_LIB}/layer.py:True ${PYCONTAINER_LIB}/spdx.py:True ${DEBIAN_LIB_FILES}"
do_deploy[vardeps] += "DEBIAN_RESOLVED SOURCE_DATE_EPOCH"
do_deploy[cleandirs] = "${WORKDIR}/deploy"
python do_deploy() {
    import json
    import shutil
    from pathlib import Path
    from pycontainer_debian.deb import Deb
    from pycontainer_debian.errors import DebianError
    from pycontainer_debian.layer import Layer, publish, supersede, swap_in
    facts = Path(d.getVar("WORKDIR"), "facts")
    names = json.loads((facts / "packages.json").read_text())
    copyrights = {name: text for name in names if (text := (facts / "copyright" / name).read_bytes())}
    components = layer_components(d, copyrights)
    carried = layer_carried(d, copyrights)
    folder = Path(d.getVar("WORKDIR"), "deploy", d.getVar("PYCONTAINER_LAYER"))
    roles = dict(word.split("=", 1) for word in d.getVar("PYCONTAINER_FILES").split())
    shutil.copytree(d.getVar("D"), folder, copy_function=os.link)
    layer = Layer(d.getVar("PYCONTAINER_LAYER"), d.getVar("PYCONTAINER_KIND"), d.getVar("PN"), d.getVar("PV").replace("%3a", ":"),
                  d.getVar("DEBIAN_ARCH"), d.getVar("DEBIAN_PURL_DISTRO"), int(d.getVar("SOURCE_DATE_EPOCH")),
                  d.getVar("PYCONTAINER_COMMAND_LINE").split(), json.loads(d.getVar("PYCONTAINER_CONFIG")),
                  d.getVar("PYCONTAINER_HOST_RUNTIMES").split())
    try:
        debs = [(file, Deb(file.path)) for file in debian_debs(d) if file.locked.name in names]
        publish(layer, folder, roles, debs, copyrights, components, carried, (facts / "contents.json").read_bytes(),
                json.loads(d.getVar("PYCONTAINER_STATIC")))
    except DebianError as problem:
        bb.fatal(str(problem))
    swap_in(folder, Path(d.getVar("DEPLOY_DIR_IMAGE"), d.getVar("PYCONTAINER_LAYER")))
    supersede(Path(d.getVar("DEPLOY_DIR_IMAGE")), d.getVar("PN"), d.getVar("PYCONTAINER_LAYER"))
}
