# SPDX-License-Identifier: MIT
"""Prints the shell assignments that oe-init-build-env evaluates: where BitBake is, and what its build needs.

    python -I .../environment.py BUILD_DIR CALLER_PID

Exit status 0 and assignments on standard output; 3 when this Python lacks bitbake-setup (the caller tries another);
1 with the error on standard error otherwise. With --explain instead of BUILD_DIR the error of status 3 is printed too.
"""

from __future__ import annotations

import locale
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

if __package__ in (None, ""):
    _here = Path(__file__).resolve()
    sys.path[:0] = [str(_here.parents[1]), str(_here.parents[3] / "lib")]

from pycontainer_debian.mirror import MirrorError, mirrors

from pycontainer_bitbake.home import cache_folder, ensure, wheel_files
from pycontainer_bitbake.version import LauncherError, WheelMissing

PASSTHROUGH = (
    "BB_NO_NETWORK",
    "BB_NUMBER_THREADS",
    "DEBIAN_MIRROR",
    "DEBIAN_SECURITY_MIRROR",
    "DL_DIR",
    "PYCONTAINER_DEBIAN_MIRROR",
    "PYCONTAINER_DEBIAN_SECURITY_MIRROR",
    "PYCONTAINER_LICENSE_FLAGS",
    "PYCONTAINER_LOCK",
    "SOURCE_DATE_EPOCH",
    "SSTATE_DIR",
)
_WHEEL_MISSING_STATUS = 3


def check_host() -> None:
    """Raise LauncherError when the host lacks what BitBake itself needs."""
    for program, why in (("wget", "BitBake downloads with it"), ("zstd", "BitBake writes signature files with it")):
        if shutil.which(program) is None:
            raise LauncherError(
                f"the program {program} is missing",
                why,
                f"run: pycontainer doctor --install (or: apt-get install {program})",
            )
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "en_US.UTF-8")
    except locale.Error:
        raise LauncherError(
            "the locale en_US.UTF-8 is missing",
            "BitBake runs every task in it",
            "run: pycontainer doctor --install (or: install locales; localedef -i en_US -f UTF-8 en_US.UTF-8)",
        ) from None
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def assignments(build: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to export for a build in `build`."""
    cache = cache_folder(environ, build)
    home = ensure(cache)
    venv = Path(sys.executable).parent
    # Names that a caller added by hand stay; ours come once, however often the script is sourced.
    names = dict.fromkeys((*PASSTHROUGH, *environ.get("BB_ENV_PASSTHROUGH_ADDITIONS", "").split()))
    path = [str(home / "bin"), str(venv)]
    path += [part for part in environ.get("PATH", os.defpath).split(":") if part not in path]
    found = {
        "PATH": ":".join(path),
        "DL_DIR": environ.get("DL_DIR") or str(cache / "downloads"),
        "BB_ENV_PASSTHROUGH_ADDITIONS": " ".join(names),
    }
    try:
        mirror = mirrors(environ)
        found |= {"DEBIAN_MIRROR": mirror.main, "DEBIAN_SECURITY_MIRROR": mirror.security}
    except MirrorError:
        pass  # PYCONTAINER_DEBIAN_MIRROR may still come with kas's env section; the fetch says so when it does not
    return found


def caller_folders(pid: str) -> dict[str, str]:
    """Return HOME and XDG_CACHE_HOME of the process `pid` when it is a Python: kas, which keeps them from us."""
    try:
        process = Path("/proc", str(int(pid)))
        program = os.fsdecode((process / "cmdline").read_bytes().split(b"\0")[0])
        pairs = os.fsdecode((process / "environ").read_bytes()).split("\0")
    except (OSError, ValueError):
        return {}
    if not Path(program).name.startswith("python"):
        return {}
    found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    return {name: found[name] for name in ("HOME", "XDG_CACHE_HOME") if found.get(name)}


def main(argv: list[str]) -> int:
    explain = argv[1] == "--explain"
    build = Path(argv[1]).absolute()
    try:
        wheel_files()
        check_host()
        lines = []
        environ = caller_folders(argv[2]) | dict(os.environ)
        for name, value in assignments(build, environ).items():
            if "\n" in value:  # kas reads the environment line by line
                raise LauncherError(f"{name} has a line break", "kas cannot pass it on", f"change or unset {name}")
            lines.append(f"export {name}={shlex.quote(value)}")
    except WheelMissing as error:
        if explain:
            print(error, file=sys.stderr)
        return _WHEEL_MISSING_STATUS
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
