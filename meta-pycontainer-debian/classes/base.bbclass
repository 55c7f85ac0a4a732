# SPDX-License-Identifier: GPL-2.0-only
# The tasks of every recipe, under OE-core's names: fetch, unpack, patch, configure, compile, install, deploy, build.

INHIBIT_DEFAULT_DEPS ??= ""
COPYRIGHT_FILE ??= "${PYCONTAINER_META}/../LICENSE"
BASEDEPENDS ??= "libc-dev native-toolchain"
NATIVE_TOOLCHAIN = "${TMPDIR}/native-toolchain"
NATIVE_TOOLS = "${DEPLOY_DIR_IMAGE}/native-tools"

PREFIX_MAP = "-ffile-prefix-map=${WORKDIR}=/usr/src/${PN} -ffile-prefix-map=${NATIVE_TOOLCHAIN}="
export CC = "${NATIVE_TOOLCHAIN}/bin/${TARGET_TRIPLET}-gcc --sysroot=${RECIPE_SYSROOT}"
export CFLAGS = "-Os -g ${PREFIX_MAP}"
export LDFLAGS = "-Wl,--build-id=sha1"
CC[vardepvalue] = "gcc"
PREFIX_MAP[vardepvalue] = "mapped"

oe_runmake() {
    ${NATIVE_TOOLCHAIN}/bin/make ${PARALLEL_MAKE} "$@" || bbfatal "make failed"
}

bbfatal() {
    echo "ERROR: $*" >&2
    exit 1
}

bbnote() {
    echo "NOTE: $*"
}

python () {
    if not d.getVar("INHIBIT_DEFAULT_DEPS"):
        d.appendVar("DEPENDS", " " + d.getVar("BASEDEPENDS"))
}

addtask fetch
do_fetch[dirs] = "${DL_DIR}"
do_fetch[network] = "1"
do_fetch[file-checksums] = "${@bb.fetch.get_checksum_file_list(d)}"
python do_fetch() {
    uris = (d.getVar("SRC_URI") or "").split()
    try:
        bb.fetch2.Fetch(uris, d).download()
    except bb.fetch2.BBFetchException as problem:
        bb.fatal("a source of %s cannot be had\n  why: %s\n  do: check the network, or fill DL_DIR (%s)"
                 % (d.getVar("PN"), problem, d.getVar("DL_DIR")))
}

addtask unpack after do_fetch
do_unpack[cleandirs] = "${UNPACKDIR}"
python do_unpack() {
    uris = [uri for uri in (d.getVar("SRC_URI") or "").split() if ";debian=1" not in uri]
    try:
        bb.fetch2.Fetch(uris, d).unpack(d.getVar("UNPACKDIR"))
    except bb.fetch2.BBFetchException as problem:
        bb.fatal("a source of %s cannot be unpacked\n  why: %s" % (d.getVar("PN"), problem))
}

LIC_FILES_CHKSUM ??= ""
do_unpack[postfuncs] += "check_licences"
do_unpack[vardeps] += "LIC_FILES_CHKSUM"
python check_licences() {
    """A licence text that changed is looked at by a person: its lines must have the digest that the recipe names."""
    import hashlib
    for uri in (d.getVar("LIC_FILES_CHKSUM") or "").split():
        path, words = bb.fetch2.decodeurl(uri)[2], bb.fetch2.decodeurl(uri)[5]
        with open(os.path.join(d.getVar("S"), path), "rb") as stream:
            lines = stream.read().splitlines(keepends=True)
        part = lines[int(words.get("beginline", 1)) - 1:int(words.get("endline", len(lines)))]
        found = hashlib.md5(b"".join(part), usedforsecurity=False).hexdigest()
        if found != words.get("md5"):
            bb.fatal("the licence text %s of %s changed\n  why: its MD5 is %s, the recipe says %s\n"
                     "  do: read it, then correct LICENSE and LIC_FILES_CHKSUM" % (path, d.getVar("PN"), found, words.get("md5")))
}

addtask patch after do_unpack
do_patch[dirs] = "${S}"
do_patch() {
    :
}

addtask prepare_sysroot after do_patch
do_prepare_sysroot[deptask] = "do_populate_sysroot"
do_prepare_sysroot[cleandirs] = "${RECIPE_SYSROOT}"
do_prepare_sysroot[vardeps] += "DEPENDS"
do_prepare_sysroot[file-checksums] += "${PYCONTAINER_LIB}/disk.py:True ${PYCONTAINER_LIB}/tree.py:True"
python do_prepare_sysroot() {
    from pathlib import Path
    from pycontainer_debian.disk import extract, from_directory
    from pycontainer_debian.errors import reported
    from pycontainer_debian.tree import Tree
    tree = Tree(merged_usr=True)
    with reported(bb.fatal):
        for name in sorted((d.getVar("DEPENDS") or "").split()):
            part = Path(d.getVar("STAGING_DIR"), name)
            for path, entry in from_directory(part).items() if part.is_dir() else ():
                tree.add(path, entry)
        extract(tree, Path(d.getVar("RECIPE_SYSROOT")))
}

addtask configure after do_prepare_sysroot
do_configure[dirs] = "${B}"
do_configure() {
    :
}

addtask compile after do_configure
do_compile[dirs] = "${B}"
do_compile() {
    if [ -e Makefile ] || [ -e makefile ] || [ -e GNUmakefile ]; then oe_runmake; fi
}

addtask install after do_compile
do_install[dirs] = "${B}"
do_install[cleandirs] = "${D}"
do_install() {
    :
}

addtask populate_sysroot after do_install
do_populate_sysroot[cleandirs] = "${STAGING_DIR}/${PN}"
do_populate_sysroot[vardeps] += "PV LICENSE"
python do_populate_sysroot() {
    import shutil
    from pathlib import Path
    staged = Path(d.getVar("STAGING_DIR"), d.getVar("PN"))
    if os.path.isdir(d.getVar("D")):
        shutil.copytree(d.getVar("D"), staged, symlinks=True, dirs_exist_ok=True)
    # What a layer that takes this recipe's product says of it in its SPDX document.
    facts = staged / "usr/share/pycontainer" / d.getVar("PN")
    facts.mkdir(parents=True)
    (facts / "facts").write_text("%s\n%s\n" % (d.getVar("PV"), d.getVar("LICENSE")))
    shutil.copyfile(d.getVar("COPYRIGHT_FILE"), facts / "copyright")
}

addtask deploy after do_populate_sysroot
do_deploy() {
    :
}

addtask build after do_deploy
do_build[noexec] = "1"
do_build() {
    :
}
BB_DEFAULT_TASK ?= "build"

addtask clean
do_clean[nostamp] = "1"
python do_clean() {
    bb.utils.remove(d.getVar("WORKDIR"), recurse=True)
    bb.utils.remove(os.path.join(d.getVar("STAGING_DIR"), d.getVar("PN")), recurse=True)
    bb.utils.remove(d.getVar("STAMPCLEAN"))
}

addtask listtasks
do_listtasks[nostamp] = "1"
python do_listtasks() {
    for task in sorted(d.getVar("__BBTASKS", False) or []):
        bb.plain(task)
}
