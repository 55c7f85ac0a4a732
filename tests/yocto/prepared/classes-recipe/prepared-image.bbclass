# SPDX-License-Identifier: MIT
# An image's root file system without the package manager, which is compiled: the packages' files are copied from where
# they were split, and what the package manager is asked afterwards is written down. All tasks from here on are real.

python do_rootfs:forcevariable() {
    import json
    import shutil
    from pathlib import Path
    import oe.packagedata
    rootfs, wanted, installed = Path(d.getVar("IMAGE_ROOTFS")), (d.getVar("PACKAGE_INSTALL") or "").split(), {}
    data = Path(d.getVar("PKGDATA_DIR"))
    while wanted:
        name = wanted.pop()
        providers = data / "runtime-rprovides" / name
        name = sorted(path.name for path in providers.iterdir())[0] if providers.is_dir() else name
        if name in installed:
            continue
        facts = oe.packagedata.read_subpkgdata(name, d)
        recipe = facts["PN"]
        installed[name] = {"arch": facts.get("PACKAGE_ARCH", "all"), "ver": facts["PV"], "filename": "", "deps": [], "pkgtype": "ipk"}
        wanted += [word for word in facts.get("RDEPENDS:" + name, "").split() if not word.startswith(("(", ">", "=")) and word[-1] != ")"]
        for split in sorted(Path(d.getVar("BASE_WORKDIR")).glob("*/%s/*/packages-split/%s" % (recipe, name))):
            shutil.copytree(split, rootfs, symlinks=True, dirs_exist_ok=True)
    manifest = Path(d.getVar("IMAGE_MANIFEST"))
    manifest.write_text("".join("%s %s %s\n" % (name, facts["arch"], facts["ver"]) for name, facts in sorted(installed.items())))
    link = manifest.with_name(d.getVar("IMAGE_LINK_NAME") + ".manifest")
    if link != manifest:
        link.symlink_to(manifest.name)
    packages = Path(d.getVar("SPDX_ROOTFS_PACKAGES"))
    packages.parent.mkdir(parents=True, exist_ok=True)
    packages.write_text(json.dumps(installed))
}
IMAGE_QA_COMMANDS = ""
