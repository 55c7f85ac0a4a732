# SPDX-License-Identifier: GPL-2.0-only
# Where packages are pinned, for every recipe and for the start of an update (PYCONTAINER_LOCK = "update").

def debian_pinning(d):
    from pathlib import Path
    from pycontainer_debian.archive import Mirror
    from pycontainer_debian.mirror import MirrorError, mirrors
    from pycontainer_debian.pin import Pinning
    names = ("PYCONTAINER_DEBIAN_MIRROR", "PYCONTAINER_DEBIAN_SECURITY_MIRROR", "DEBIAN_MIRROR", "DEBIAN_SECURITY_MIRROR")
    offline = bb.utils.to_boolean(d.getVar("BB_NO_NETWORK"))
    mirror = None
    try:
        found = mirrors({name: d.getVar(name) for name in names if d.getVar(name)})
        d.setVar("DEBIAN_MIRROR", found.main)
        d.setVar("DEBIAN_SECURITY_MIRROR", found.security)
        if not offline:
            mirror = Mirror(found.main, found.security, Path(d.getVar("DEBIAN_KEYRING")))
    except MirrorError as problem:
        if not offline:
            bb.fatal(str(problem))
        # Nothing is downloaded, but a file in DL_DIR is found by an address.
        d.setVar("DEBIAN_MIRROR", "http://mirror.invalid/debian")
        d.setVar("DEBIAN_SECURITY_MIRROR", "http://mirror.invalid/debian-security")
    return Pinning(d.getVar("DEBIAN_SUITE"), Path(d.getVar("DEBIAN_LOCK")), Path(d.getVar("DL_DIR"), "debian-index"),
                   mirror, d.getVar("PYCONTAINER_LOCK") == "update",
                   tuple((d.getVar("DEBIAN_COMPONENTS") or "main").split()))

# Once, before the recipes are parsed: what no recipe can do without fails here with one message, not with one a recipe.
addhandler debian_lock_begin
debian_lock_begin[eventmask] = "bb.event.ParseStarted"
python debian_lock_begin() {
    from pycontainer_debian.errors import reported
    pinning = debian_pinning(e.data)
    with reported(bb.fatal):
        pinning.begin()
        pinning.source_date_epoch(e.data.getVar("DEBIAN_ARCH"))
}
