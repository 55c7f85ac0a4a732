# SPDX-License-Identifier: GPL-2.0-only
# What the machine's data files say (machines/), as variables. Whatever the configuration has set itself stays.

addhandler debian_machine
debian_machine[eventmask] = "bb.event.ConfigParsed"
python debian_machine() {
    from pathlib import Path
    from pycontainer_debian import machine
    from pycontainer_debian.errors import DebianError
    folder, name = Path(e.data.getVar("PYCONTAINER_MACHINES")), e.data.getVar("MACHINE")
    try:
        found = machine.variables(folder, name, e.data.getVar("BUILD_ARCH"))
    except DebianError as problem:
        bb.fatal(str(problem))
    # Plain values: a task's signature changes with the facts that it uses, and with no others.
    for key, value in found.items():
        if e.data.getVar(key, False) is None:
            e.data.setVar(key, value)
}
