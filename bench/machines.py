# SPDX-License-Identifier: MIT
"""How long the demo's image takes for each machine: python bench/machines.py [MACHINE ...]; the first is the measure.

Downloads are made before and not counted. Processor seconds are those of all that the build started: beside other
work they say more than the time that passed.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
USUAL = ("qemu-amd64", "qemu-arm64")


def build(folder: Path, machine: str, **environment: str) -> None:
    """Run the command line's build in a process of its own."""
    argv = [sys.executable, "-m", "orchestrator.cli.main", "build", str(folder), "--machine", machine, "--json"]
    surroundings = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYCONTAINER_HOME": str(REPOSITORY)} | environment
    subprocess.run(argv, env=surroundings, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def processor_seconds() -> float:
    """Seconds of processor time of the children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(machine: str, scratch: Path) -> tuple[float, float]:
    """Build once for the downloads and the pins, and once more from nothing else; returns (seconds, of processors)."""
    product = scratch / machine
    ignored = shutil.ignore_patterns("build", ".pycontainer")
    shutil.copytree(REPOSITORY / "examples" / "demo", product, ignore=ignored)
    keys = {"PYCONTAINER_KEYS": str(scratch / "keys")}
    build(product, machine, **keys)
    shutil.copyfile(product / "build" / f"bitbake-{machine}" / "debian.lock.json", product / "pycontainer.lock")
    shutil.rmtree(product / "build")
    shutil.rmtree(product / ".pycontainer")
    started, used = time.monotonic(), processor_seconds()
    build(product, machine, **keys, BB_NO_NETWORK="1")
    return time.monotonic() - started, processor_seconds() - used


def main() -> None:
    """Print a line a machine."""
    names = tuple(sys.argv[1:]) or USUAL
    first: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory(prefix="pycontainer-bench-") as name:
        for machine in names:
            seconds, used = measure(machine, Path(name))
            first = first or (seconds, used)
            print(
                f"{machine}: {seconds:.0f} s ({seconds / first[0]:.2f} x), "
                f"{used:.0f} s of processors ({used / first[1]:.2f} x)",
                flush=True,
            )


if __name__ == "__main__":
    main()
