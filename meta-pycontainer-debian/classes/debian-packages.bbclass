# SPDX-License-Identifier: GPL-2.0-only
# Debian packages as sources. A recipe names them; the lock file says which; BitBake's fetcher brings them.
#
# DEBIAN_PACKAGES          names, their dependencies included
# DEBIAN_PACKAGES_EXCLUDE  names that count as present
# DEBIAN_ESSENTIAL         "1" adds the Essential packages, for a userland
# DEBIAN_MAIN_PACKAGE      whose version is the recipe's; the first of DEBIAN_PACKAGES unless set

DEBIAN_PACKAGES ??= ""
DEBIAN_PACKAGES_EXCLUDE ??= ""
DEBIAN_ESSENTIAL ??= ""
DEBIAN_PACKAGES_ARCH ??= "${DEBIAN_ARCH}"
DEBIAN_MAIN_PACKAGE ??= "${@(d.getVar('DEBIAN_PACKAGES').split() or [''])[0]}"
DEBIAN_NATIVE_ARCH ??= ""
DEBIAN_RESOLVED ?= ""
INHIBIT_DEFAULT_DEPS = "1"
SPOOL = "${WORKDIR}/spool"

DEBIAN_LIB_FILES = "${PYCONTAINER_LIB}/deb.py:True ${PYCONTAINER_LIB}/tree.py:True ${PYCONTAINER_LIB}/archives.py:True \
    ${PYCONTAINER_LIB}/disk.py:True"
do_install[file-checksums] += "${DEBIAN_LIB_FILES}"
do_install[vardeps] += "DEBIAN_RESOLVED SOURCE_DATE_EPOCH"
do_install[cleandirs] += "${SPOOL}"
do_fetch[vardeps] += "DEBIAN_RESOLVED"
# Where a package comes from is no part of what it is: its SHA-256 is.
SRC_URI[vardepsexclude] += "DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR"
DEBIAN_RESOLVED[vardepsexclude] += "DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR"

def debian_request(d):
    from pycontainer_debian.resolve import Request
    return Request.of(d.getVar("DEBIAN_PACKAGES_ARCH"), d.getVar("DEBIAN_PACKAGES"), d.getVar("DEBIAN_PACKAGES_EXCLUDE"),
                      d.getVar("DEBIAN_ESSENTIAL") == "1")

def debian_uri(d, one, name):
    base = "${DEBIAN_SECURITY_MIRROR}" if one.archive == "debian-security" else "${DEBIAN_MIRROR}"
    return "%s/%s;name=%s;downloadfilename=%s;unpack=0;debian=1" % (base, one.filename, name, debian_file(one))

def debian_file(one):
    return "deb/%s.deb" % one.label.replace(":", "%3a")

def debian_debs(d):
    """The recipe's packages as (Locked, path in DL_DIR), checked against the lock while they are hashed."""
    return debian_files(d, debian_pinning(d).pinned(debian_request(d)))

def debian_files(d, pinned):
    from pathlib import Path
    from pycontainer_debian.lock import pinned_file
    return [pinned_file(one, Path(d.getVar("DL_DIR"), debian_file(one))) for one in pinned]

def debian_native(d):
    """The same packages as this machine runs them, where a recipe asks for them: pinned and fetched like all others."""
    from dataclasses import replace
    architecture = d.getVar("DEBIAN_NATIVE_ARCH")
    return debian_pinning(d).pinned(replace(debian_request(d), architecture=architecture)) if architecture else []

do_populate_sysroot() {
    :
}

python () {
    from pycontainer_debian.errors import DebianError
    from pycontainer_debian.licences import check_accepted
    pinning = debian_pinning(d)
    try:
        if not d.getVar("SOURCE_DATE_EPOCH"):
            d.setVar("SOURCE_DATE_EPOCH", str(pinning.source_date_epoch(d.getVar("DEBIAN_ARCH"))))
        pinned = pinning.pinned(debian_request(d)) if d.getVar("DEBIAN_PACKAGES") or d.getVar("DEBIAN_ESSENTIAL") else []
        native = debian_native(d)
        check_accepted(pinned + native, d.getVar("PYCONTAINER_LICENSE_FLAGS") or "")
    except DebianError as problem:
        bb.fatal("%s: %s" % (d.getVar("PN"), problem))
    bb.parse.mark_dependency(d, str(pinning.target))
    if pinning.update:
        d.setVar("BB_DONT_CACHE", "1")
    known = {one.label for one in pinned}
    native = [one for one in native if one.label not in known]
    for one in pinned + native:
        name = one.name + ("-native" if one in native else "")
        d.appendVar("SRC_URI", " " + debian_uri(d, one, name))
        d.setVarFlag("SRC_URI", name + ".sha256sum", one.sha256)
    d.setVar("DEBIAN_RESOLVED", " ".join("%s=%s" % (one.label, one.sha256) for one in pinned + native))
    main = [one.version for one in pinned if one.name == d.getVar("DEBIAN_MAIN_PACKAGE")]
    if main:
        d.setVar("PV", main[0].replace(":", "%3a"))
}

python do_fetch() {
    from pycontainer_debian.pin import not_downloaded
    try:
        bb.fetch2.Fetch(d.getVar("SRC_URI").split(), d).download()
    except bb.fetch2.BBFetchException as problem:
        if bb.utils.to_boolean(d.getVar("BB_NO_NETWORK")):
            bb.fatal("packages of %s are not in DL_DIR (%s), and the network is switched off\n  why: %s\n"
                     "  do: build once with the network" % (d.getVar("PN"), d.getVar("DL_DIR"), problem))
        for one in debian_pinning(d).pinned(debian_request(d)) + debian_native(d):
            if not os.path.exists(os.path.join(d.getVar("DL_DIR"), debian_file(one))):
                security = one.archive == "debian-security"
                base, suite = ("DEBIAN_SECURITY_MIRROR", "-security") if security else ("DEBIAN_MIRROR", "")
                bb.fatal(str(not_downloaded(one, d.getVar(base), d.getVar("DEBIAN_SUITE") + suite, str(problem))))
        bb.fatal("a source of %s cannot be had\n  why: %s\n  do: check the network" % (d.getVar("PN"), problem))
}
