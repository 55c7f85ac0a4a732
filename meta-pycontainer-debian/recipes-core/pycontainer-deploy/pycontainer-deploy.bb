# SPDX-License-Identifier: MIT
SUMMARY = "The deploy manifest over the layers that PYCONTAINER_LAYERS names"
inherit debian-packages

def deploy_depends(d):
    layers = d.getVar("PYCONTAINER_LAYERS").split()
    return " ".join("%s:do_deploy" % name for name in ["native-tools", "emulator-firmware"] + layers)

# Whatever the layers' stamps say, the manifest tells what lies there now; writing it takes no time.
do_deploy[nostamp] = "1"
do_deploy[depends] += "${@deploy_depends(d)}"
do_deploy[file-checksums] += "${PYCONTAINER_LIB}/deploy.py:True"
python do_deploy() {
    import json
    from pathlib import Path
    from pycontainer_debian.deploy import fragments, tools_facts, write_manifest
    from pycontainer_debian.errors import DebianError
    folder = Path(d.getVar("DEPLOY_DIR_IMAGE"))
    try:
        layers = fragments(folder, d.getVar("PYCONTAINER_LAYERS").split())
        tools = tools_facts(folder, "native-tools")
    except DebianError as problem:
        bb.fatal(str(problem))
    write_manifest(folder, {
        "schemaVersion": 1, "base": "debian", "machine": d.getVar("MACHINE"), "architecture": d.getVar("DEBIAN_ARCH"),
        "distribution": {"id": "debian", "version": d.getVar("DEBIAN_VERSION"), "codename": d.getVar("DEBIAN_SUITE")},
        "sourceDateEpoch": int(d.getVar("SOURCE_DATE_EPOCH")),
        "tools": tools, "emulator": json.loads(d.getVar("EMULATOR")), "layers": layers})
}
