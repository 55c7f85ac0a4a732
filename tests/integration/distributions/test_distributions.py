# SPDX-License-Identifier: MIT
"""systemd, OpenRC and BusyBox boot as a container's own init, and one app is the same under crun and LXC.

Each question to the machine costs a second or more, so what can be asked at once is.
"""

from __future__ import annotations

import json
import re

import pytest

from orchestrator.layers.defaults import MASKED_PATHS, READONLY_PATHS
from tests.integration.conftest import Product, pycontainer
from tests.integration.distributions.running import INITS, SYSTEMD, Running

BOTH = ["app", "app-lxc"]


@pytest.mark.parametrize("name", SYSTEMD)
def test_systemd_reaches_its_running_state(running: Running, name: str) -> None:
    words = ("systemctl", "is-system-running")
    running.until(lambda: running.inside(name, *words, check=False).strip() in ("running", "degraded"), "booted")
    failed = running.shell(name, "systemctl is-system-running; systemctl list-units --failed --no-legend --plain")
    assert failed.strip() == "running"
    assert re.search(r"^[0-9a-f]{32}$", running.inside(name, "cat", "/etc/machine-id"))


@pytest.mark.parametrize("name", SYSTEMD)
def test_a_unit_is_ended_at_its_own_memory_limit(running: Running, name: str) -> None:
    limited = "systemd-run --wait -q -u hungry -p MemoryMax=8M sh -c 'x=a; while :; do x=$x$x; done'"
    said = running.shell(name, f"{limited}; systemctl show -P Result hungry")
    assert said.split() == ["oom-kill"]
    assert running.state(name)["state"] == "running"


def test_the_journal_is_in_the_containers_log(running: Running) -> None:
    running.shell("debian-lxc", "logger -t probe 'a word in the journal'")
    running.until(lambda: "a word in the journal" in running.logs("debian-lxc"), "in the log", 60)


@pytest.mark.parametrize("name", INITS)
def test_an_init_is_confined(running: Running, name: str) -> None:
    said = running.shell(
        name,
        "cat /proc/1/status /proc/1/attr/current; for f in /proc/sys/kernel/hostname /sys/fs/cgroup/memory.max;"
        "do echo max >$f || echo refused $f; done; mount -t tmpfs x /tmp || echo refused mount",
    )
    bounding = int(re.findall(r"^CapBnd:\s+(\S+)", said, re.M)[0], 16)
    assert bounding & (1 << 21 | 1 << 12 | 1 << 16 | 1 << 19) == 0  # SYS_ADMIN, NET_ADMIN, SYS_MODULE, SYS_PTRACE
    assert re.search(r"^NoNewPrivs:\s+1$", said, re.M) and re.search(r"^Seccomp:\s+2$", said, re.M)
    assert re.search(rf"^pycontainer\.{name}\.[0-9a-f]{{12}} \(enforce\)$", said, re.M)
    assert re.findall(r"^refused (\S+)", said, re.M) == [
        "/proc/sys/kernel/hostname", "/sys/fs/cgroup/memory.max", "mount",
    ]  # fmt: skip


def test_openrc_starts_its_services_from_packages_of_rpm(running: Running) -> None:
    running.until(lambda: "answer has started" in running.logs("rpm"), "started", 120)
    said = running.shell(
        "rpm",
        "ls -l /proc/1/exe; /sbin/rc-service answer status; ls /var/lib/rpm; cat /sys/fs/cgroup/limited/memory.max",
    )
    assert "openrc-init" in said and "started" in said and "rpmdb" in said
    assert said.split()[-1] == "8388608"  # a control group that a service made


def test_busybox_init_starts_what_its_table_says(running: Running) -> None:
    running.until(lambda: "box starts" in running.logs("box-lxc"), "started", 60)
    assert "httpd" in running.inside("box-lxc", "ps")


def test_an_app_is_the_same_under_both_runtimes(running: Running) -> None:
    script = (
        "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; pwd; umask;"
        "grep -E '^Max (open|core)' /proc/1/limits /proc/self/limits;"
        "echo $COLOUR $HOME $PATH; for f in pids.max memory.max cpu.max; do cat /sys/fs/cgroup/$f; done;"
        "for w in / /proc/sys/x /sys/x /dev/shm/x /data/x /tmp/x; do echo x >$w/x 2>/dev/null || echo x >$w 2>/dev/null"
        " && echo writes $w; done; head -c 1 /proc/kcore; head -c 1 /proc/keys; ls /sys/firmware;"
        "for n in null zero full random urandom tty; do stat -c '%n %t %T %a' /dev/$n; done;"
        "while read -r a b c d e; do case $b in /dev|/tmp|/data|/proc|/sys|/etc/hosts) echo $b $c $d;; esac; done"
        " </proc/self/mounts; cat /etc/hosts /proc/self/attr/current; sed -n 's/:.*//p' /proc/net/dev"
    )
    crun, lxc = (running.shell(name, script) for name in BOTH)
    assert (
        "(enforce)" in crun and "CapBnd:\t0000000000000000" in crun and "writes /data/x" in crun and "app-lxc" in crun
    )
    assert re.search(r"^Groups:\s+2000 2001\s*$", crun, re.M) and len(re.findall(r"files +2048 +2048", crun)) == 2
    assert differing(crun) == differing(lxc)


def differing(text: str) -> list[str]:
    """What was said, without what may differ: LXC's own /dev below the one in use, when times are kept, and how files
    of a container with users of its own are mounted."""
    lines = [re.sub(r",?(relatime|noatime|strictatime|inode64|idmapped)\b", "", line) for line in text.splitlines()]
    lines = [re.sub(r",(uid|gid)=\d+", "", line) for line in lines]
    lines = [re.sub(r"^pycontainer\.app(-lxc)?\.[0-9a-f]{12}", "its profile", line) for line in lines]
    return sorted({line for line in lines if not line.startswith("/dev tmpfs rw,size=64k")})


def hidden(text: str) -> dict[str, str]:
    """How each place that is masked or read-only by default is mounted, by a mountinfo (proc(5))."""
    found = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        place, options = before.split()[4:6]
        if place in MASKED_PATHS + READONLY_PATHS:
            kind = after.split()[0]
            found[place] = "/dev/null" if kind == "devtmpfs" else f"{kind} {options.split(',')[0]}"
    return found


def test_all_that_is_masked_or_read_only_is_so_under_both(running: Running) -> None:
    there = " ".join(MASKED_PATHS + READONLY_PATHS)
    script = f"for place in {there}; do [ -e $place ] && echo $place; done; cat /proc/self/mountinfo"
    for name in BOTH:
        lines = running.shell(name, script).splitlines()
        seen = {line for line in lines if line.startswith("/")}
        found = hidden("\n".join(line for line in lines if " - " in line))
        assert found.keys() == seen and {"/proc/kcore", "/sys/firmware", "/proc/sys"} < seen, lines
        for place in seen:
            assert found[place] in (["proc ro"] if place in READONLY_PATHS else ["/dev/null", "tmpfs ro"]), lines


@pytest.mark.parametrize("name", BOTH)
def test_an_app_is_checked_entered_and_seen_under_both(running: Running, name: str) -> None:
    running.until(lambda: running.state(name)["health"] == "healthy", "healthy", 120)
    # Nothing that the supervisor has open comes in with the program.
    done = running.device("exec", name, "--", "/bin/sh", "-c", "ls -l /proc/self/fd; exit 7", check=False)
    assert done.code == 7
    assert not re.search(r"-> /dev/(?!null)|socket:", done.out), done.out
    assert "app starts as 1000" in running.logs(name)


@pytest.mark.parametrize("name", BOTH)
def test_what_an_app_starts_is_told_under_both(running: Running, name: str) -> None:
    running.inside(name, "/bin/uname")
    events = json.loads(running.device("observe", name, "--lines", "1000", "--json").out)["events"]
    assert ("/bin/uname", False) in [(each["path"], each["declared"]) for each in events]
    # None is the runtime's own doing, which is another user.
    assert {each["uid"] for each in events} == {1000}


def test_the_program_behind_lxc_is_one_component_of_the_host_with_its_licence(distributions: Product) -> None:
    listed = pycontainer("sbom", "list", distributions.folder, "--json").json["components"]
    found = [each["concluded"] for each in listed if (each["layer"], each["name"]) == ("host", "pycontainer-lxc")]
    assert found == ["MIT"]


def test_an_end_under_lxc_is_told_as_it_was(running: Running) -> None:
    # It has a mask over what no kernel has.
    assert "container once-lxc: exited with status 0, done" in running.console


@pytest.mark.parametrize("name", ["debian", "box-lxc", "rpm"])  # each init once
def test_each_stops_in_order_and_starts_again(running: Running, name: str) -> None:
    running.device("stop", name)
    line = next(line for line in reversed(running.console.splitlines()) if f"container {name}: stopped" in line)
    assert "after its time was up" not in line
    assert "exited with status 0" in line or (name == "rpm" and "killed by signal 2" in line)
    running.device("start", name)
    running.until(lambda: running.state(name)["state"] == "running", "running again", 60)
